"""An email before it is sent, the ways it may go, and how they say that it did not."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Protocol
from uuid import UUID

from worker.errors import ConfigurationError, PermanentError, SwitchyardError

_NAMED = re.compile(r'"?([^<>"]*)"? *<([^<>]*)>')
AT_HOME = Address("Switchyard", "switchyard", "localhost")


class Postponed(SwitchyardError):
    """The email cannot go now, through no fault of its own: try again in so many seconds."""

    code = "postponed"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Letter:
    """An email, the same at every attempt. `id` is its notification's."""

    id: UUID
    to: str
    written_at: datetime
    subject: str
    text: str
    html: str


class Email(Protocol):
    """A way for emails to go."""

    async def send(self, letter: Letter, *, again: bool) -> str | None:
        """Hand the email over; answers what the other side calls it, where that is known.

        `again`: an attempt before this one may have sent it. Raises Postponed, TransientError when
        another attempt may do, and PermanentError. None of them tells a secret.
        """

    async def close(self) -> None:
        """Let go of connections."""


class NoEmail:
    """There is no way."""

    async def send(self, letter: Letter, *, again: bool) -> str | None:
        """Raise PermanentError that says what to set."""
        raise PermanentError(
            "no email can be sent: set RESEND_API_KEY or SMTP_URL, and EMAIL_FROM, "
            "then retry this job"
        )

    async def close(self) -> None:
        """Nothing is open."""


def sender_of(text: str | None) -> Address:
    """The address that emails come from. Raises ConfigurationError unless it is one."""
    if text is None:
        return AT_HOME
    named = _NAMED.fullmatch(text)
    name, spec = named.groups() if named else ("", text)
    try:
        return Address(one_line(name), addr_spec=_checked(spec))
    except (ValueError, IndexError, MessageError):
        problem = "must be an address such as Switchyard <switchyard@example.com>"
        raise ConfigurationError([f"EMAIL_FROM: {problem}"]) from None


def mime(letter: Letter, sender: Address) -> EmailMessage:
    """The message in both its forms. Raises PermanentError for an address that is none."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient_of(letter)
    message["Subject"] = one_line(letter.subject)
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = f"<{letter.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    message.set_boundary(f"=={letter.id.hex}==")
    return message


def one_line(text: str) -> str:
    """The text without line breaks or anything else that cannot be printed."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def recipient_of(letter: Letter) -> Address:
    """Whom it goes to. Raises PermanentError for an address that is none, or several."""
    try:
        return Address(addr_spec=_checked(letter.to))
    except (ValueError, IndexError, MessageError):
        raise PermanentError(
            "the organisation's email address is not one: correct it, then retry this job"
        ) from None


def _checked(spec: str) -> str:
    local, _, domain = spec.rpartition("@")
    if not (local and domain and spec.isascii() and spec.isprintable()) or " " in spec:
        raise ValueError("not an address")
    return spec
