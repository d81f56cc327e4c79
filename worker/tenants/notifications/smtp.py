"""Emails through a mail server: encrypted where it can be, and never waiting for long.

SMTP has no way to say that a message was sent before: one whose answer got lost goes a second time.
Its Message-ID is the same then, by which mail programs tell the repeat.
"""

import asyncio
import smtplib
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from worker.errors import ConfigurationError, PermanentError, TransientError
from worker.metrics import EXTERNAL_DURATION
from worker.tenants.notifications.letters import Letter, mime

SECONDS = 20.0
STEP_SECONDS = 10.0
AT_ONCE = 10
_PORTS = {"smtp": 25, "smtps": 465}
_AT_HOME = ("localhost", "127.0.0.1", "::1")
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where to send to, from SMTP_URL."""

    host: str
    port: int
    is_tls: bool
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> "MailServer":
        """The server at `smtp[s]://[user:password@]host[:port]`. Raises ConfigurationError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            host, port = None, 0
        if not host:
            example = "smtps://user:password@mail.example:465"
            raise ConfigurationError([f"SMTP_URL: must be an address such as {example}"])
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not f"{user}{password}".isascii():
            raise ConfigurationError(["SMTP_URL: a login can have ASCII characters only"])
        return cls(host, port, parts.scheme == "smtps", user, password)

    def without_secrets(self, text: str) -> str:
        """A text that may have come from the server, to be shown."""
        for secret in filter(None, (self.password, self.user)):
            text = text.replace(secret, "[redacted]")
        return " ".join(text.split())[:_LONGEST_MESSAGE]


class Smtp:
    """Sends emails, each over a connection of its own."""

    def __init__(
        self, server: MailServer, sender: Address, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server, self._sender = server, sender
        self._tls = tls or ssl.create_default_context()
        # The loop's own threads are few, and others wait for them.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="smtp")

    async def send(self, letter: Letter, *, again: bool) -> str | None:
        """Send the email; answers its Message-ID. See Email for the errors."""
        message = mime(letter, self._sender)
        visit = _Visit(self._server, self._tls, self._sender.domain)
        started, outcome = time.monotonic(), "failed"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS):
                await loop.run_in_executor(self._threads, visit.deliver, message)
            outcome = "completed"
        except (smtplib.SMTPException, OSError, TimeoutError) as error:
            raise _failure(error, self._server) from None
        finally:
            # Whoever stops waiting must not leave behind what may still send.
            visit.abort()
            EXTERNAL_DURATION.labels("smtp", outcome).observe(time.monotonic() - started)
        return str(message["Message-ID"])

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Client(smtplib.SMTP):
    """Asks before it waits for a reply whether anybody still waits for it."""

    def __init__(self, visit: "_Visit", *where: Any, **more: Any) -> None:
        self._visit = visit
        super().__init__(*where, **more)

    def getreply(self) -> tuple[int, bytes]:
        """The next reply. Raises TimeoutError when the visit is over."""
        self._visit.go_on(self)
        return super().getreply()


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same, encrypted from the beginning."""


class _Visit:
    """One connection, made and used in a thread; `abort` ends it from another."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext, our_name: str) -> None:
        self._server, self._tls, self._our_name = server, tls, our_name
        self._lock, self._is_over = Lock(), False
        self._client: smtplib.SMTP | None = None

    def deliver(self, message: EmailMessage) -> None:
        """Greet, encrypt, log in, hand over."""
        with self._connected() as client:
            client.ehlo_or_helo_if_needed()
            is_private = self._server.is_tls or self._encrypt(client)
            if self._server.user:
                self._log_in(client, is_private=is_private)
            client.send_message(message)

    def go_on(self, client: smtplib.SMTP) -> None:
        """Raise TimeoutError if nobody waits any more; otherwise this is what to abort."""
        with self._lock:
            self._client = client
            if self._is_over:
                raise TimeoutError

    def abort(self) -> None:
        """Let nothing be sent any more."""
        with self._lock:
            self._is_over = True
            connection = self._client.sock if self._client else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> smtplib.SMTP:
        where = (self._server.host, self._server.port, self._our_name)
        if self._server.is_tls:
            return _TlsClient(self, *where, timeout=STEP_SECONDS, context=self._tls)
        return _Client(self, *where, timeout=STEP_SECONDS)

    def _encrypt(self, client: smtplib.SMTP) -> bool:
        if not client.has_extn("starttls"):
            return False
        client.starttls(context=self._tls)
        client.ehlo()
        return True

    def _log_in(self, client: smtplib.SMTP, *, is_private: bool) -> None:
        if not is_private and self._server.host not in _AT_HOME:
            raise PermanentError(
                f"{self._server.host} offers no encryption, so that the password is not sent: "
                "use smtps:// in SMTP_URL, or an address without a login"
            )
        client.login(self._server.user, self._server.password)


def _failure(error: Exception, server: MailServer) -> PermanentError | TransientError:
    """What a failure means; nothing of it tells a secret."""
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            return _reply(*next(iter(refused.values())), server)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=words):
            return _reply(code, words, server)
        case ssl.SSLCertVerificationError(verify_message=problem):
            return PermanentError(f"{server.host} is not trusted: its certificate: {problem}")
        case smtplib.SMTPNotSupportedError():
            return PermanentError(f"{server.host}: {server.without_secrets(str(error))}")
    return TransientError(f"{server.host} took no email: {type(error).__name__}")


def _reply(code: int, words: bytes | str, server: MailServer) -> PermanentError | TransientError:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    says = f"{server.host} refuses the email: {code} {server.without_secrets(text)}"
    if code == 535:
        says += ": check the login in SMTP_URL"
    return PermanentError(says) if code >= 500 else TransientError(says)
