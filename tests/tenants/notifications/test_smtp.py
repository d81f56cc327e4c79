"""Sending through a mail server: encrypted, logged in, in time, and without telling secrets."""

import asyncio
import email
import email.policy
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import eventually
from tests.tenants.notifications.mail_server import (
    PASSWORD,
    USER,
    Certificate,
    MailServer,
    certificate,
)
from tests.tenants.notifications.records import ADDRESS, SENDER, letter
from worker.errors import ConfigurationError, PermanentError, TransientError
from worker.metrics import REGISTRY
from worker.tenants.notifications import smtp
from worker.tenants.notifications.letters import mime
from worker.tenants.notifications.smtp import MailServer as Place
from worker.tenants.notifications.smtp import Smtp

LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"
Opening = Callable[..., Smtp]


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
async def opened(trusted: Certificate) -> AsyncIterator[Opening]:
    """Makes senders who trust the server's certificate."""
    async with AsyncExitStack() as stack:

        def make(url: str, tls: ssl.SSLContext | None = None) -> Smtp:
            sender = Smtp(Place.of(url), SENDER, tls or trusted.trusting())
            stack.push_async_callback(sender.close)
            return sender

        yield make


def with_login(server: MailServer, login: str = LOGIN) -> str:
    return server.where.replace("://", f"://{login}")


def measured(outcome: str) -> float:
    labels = {"service": "smtp", "outcome": outcome}
    return REGISTRY.get_sample_value("external_request_duration_seconds_count", labels) or 0.0


async def test_an_email_is_sent(opened: Opening) -> None:
    written, before = letter(text=".\n..dots\nZażółć\n"), measured("completed")
    async with MailServer().serving() as server:
        message_id = await opened(server.where).send(written, again=False)
    [mail] = server.mails
    assert (mail.sender, mail.to) == ("noreply@mail.example", [ADDRESS])
    assert mail.content == mime(written, SENDER).as_bytes()
    read = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert read["Message-ID"] == message_id == f"<{written.id}@mail.example>"
    assert server.commands == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert measured("completed") == before + 1


async def test_the_same_email_has_the_same_name(opened: Opening) -> None:
    written = letter()
    async with MailServer().serving() as server:
        ids = {await opened(server.where).send(written, again=n > 0) for n in range(2)}
    assert len(ids) == 1
    first, second = server.mails
    assert first.content == second.content


async def test_encryption_is_taken_where_it_is_offered(
    opened: Opening, trusted: Certificate
) -> None:
    async with MailServer(trusted, login=True).serving() as server:
        await opened(with_login(server)).send(letter(), again=False)
    [mail] = server.mails
    assert mail.private
    assert mail.user == USER
    assert server.commands[:3] == ["EHLO", "STARTTLS", "EHLO"]


async def test_encryption_from_the_beginning(opened: Opening, trusted: Certificate) -> None:
    async with MailServer(trusted, implicit=True, login=True).serving() as server:
        await opened(with_login(server)).send(letter(), again=False)
    [mail] = server.mails
    assert mail.private
    assert mail.user == USER


@pytest.mark.parametrize("implicit", [True, False])
async def test_a_certificate_that_nobody_signed_is_refused(
    opened: Opening, trusted: Certificate, implicit: bool
) -> None:
    async with MailServer(trusted, implicit=implicit, login=True).serving() as server:
        sender = opened(with_login(server), ssl.create_default_context())
        with pytest.raises(PermanentError, match="is not trusted: its certificate: self"):
            await sender.send(letter(), again=False)
        assert "AUTH" not in server.commands
    assert server.mails == []


async def test_a_certificate_for_another_host_is_refused(opened: Opening, tmp_path: Path) -> None:
    other = certificate(tmp_path / "other.pem", "192.0.2.1")
    async with MailServer(other, login=True).serving() as server:
        with pytest.raises(PermanentError, match="certificate: IP address mismatch"):
            await opened(with_login(server), other.trusting()).send(letter(), again=False)


async def test_no_password_goes_over_an_open_line(
    opened: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MailServer(login=True).serving() as server:
        await opened(with_login(server)).send(letter(), again=False)
        assert server.mails[0].user == USER, "within this machine it may"
        server.commands.clear()
        monkeypatch.setattr(smtp, "_AT_HOME", ())
        with pytest.raises(PermanentError, match=r"offers no encryption.*smtps://"):
            await opened(with_login(server)).send(letter(), again=False)
        assert "AUTH" not in server.commands


async def test_a_wrong_login_is_final_and_not_told(opened: Opening, trusted: Certificate) -> None:
    async with MailServer(trusted, login=True).serving() as server:
        with pytest.raises(PermanentError, match=r"535.*check the login in SMTP_URL") as caught:
            await opened(with_login(server, "eve:hunter2!@")).send(letter(), again=False)
    assert "hunter2!" not in caught.value.message
    assert "eve" not in caught.value.message
    assert caught.value.__cause__ is None


async def test_a_login_that_the_server_does_not_take_is_final(opened: Opening) -> None:
    async with MailServer().serving() as server:
        with pytest.raises(PermanentError, match="SMTP AUTH extension not supported"):
            await opened(with_login(server)).send(letter(), again=False)


@pytest.mark.parametrize("command", ["GREETING", "MAIL", "RCPT", "DATA", "BODY"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [("451 4.7.1 later", TransientError), ("421 busy", TransientError),
     ("550 5.1.1 nobody", PermanentError), ("554 no", PermanentError)],
)  # fmt: skip
async def test_refusals_are_final_or_not_by_their_code(
    opened: Opening, command: str, reply: str, kind: type[Exception]
) -> None:
    async with MailServer(replies={command: reply}).serving() as server:
        with pytest.raises(kind, match=f"127.0.0.1 refuses the email: {reply}"):
            await opened(server.where).send(letter(), again=False)
    assert server.mails == []


async def test_nobody_there_is_a_failure(opened: Opening) -> None:
    before = measured("failed")
    with pytest.raises(TransientError, match=r"127\.0\.0\.1 took no email: ConnectionRefusedError"):
        await opened("smtp://127.0.0.1:9").send(letter(), again=False)
    assert measured("failed") == before + 1


async def test_a_server_that_hangs_up_is_a_failure(opened: Opening) -> None:
    async with MailServer(replies={"GREETING": "gibberish"}).serving() as server:
        with pytest.raises(TransientError):
            await opened(server.where).send(letter(), again=False)


@pytest.mark.parametrize("command", ["GREETING", "EHLO", "STARTTLS", "MAIL", "DATA", "BODY"])
async def test_a_silent_server_is_left_in_time(
    opened: Opening, trusted: Certificate, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "SECONDS", 0.3)
    async with MailServer(trusted, silent_at={command}).serving() as server:
        with pytest.raises(TransientError, match="took no email: TimeoutError"):
            await opened(server.where).send(letter(), again=False)
        await no_thread_sends()


async def test_whoever_is_cancelled_sends_nothing_afterwards(opened: Opening) -> None:
    async with MailServer(silent_at={"DATA"}).serving() as server:
        sending = asyncio.ensure_future(opened(server.where).send(letter(), again=False))
        await asyncio.wait_for(server.silenced.wait(), 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(server.ended.wait(), 5)
        await no_thread_sends()
    assert server.mails == []


async def no_thread_sends() -> None:
    """Wait until no thread is in the midst of sending."""

    def busy() -> bool:
        frames = [f for f in map(_frame, threading.enumerate()) if f]
        return any("deliver" in names for names in frames)

    await eventually(lambda: not busy())


def _frame(thread: threading.Thread) -> list[str]:
    frame, names = sys._current_frames().get(thread.ident or 0), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("smtp://mail.example", ("mail.example", 25, False, "", "")),
        ("smtps://mail.example", ("mail.example", 465, True, "", "")),
        ("smtp://mail.example:587/", ("mail.example", 587, False, "", "")),
        ("smtps://a%40b:c%3Ad@mail.example:1", ("mail.example", 1, True, "a@b", "c:d")),
        ("smtp://[::1]:25", ("::1", 25, False, "", "")),
    ],
)
def test_where_the_server_is(url: str, place: tuple[str, int, bool, str, str]) -> None:
    found = Place.of(url)
    assert (found.host, found.port, found.is_tls, found.user, found.password) == place
    assert not place[4] or place[4] not in repr(found)


@pytest.mark.parametrize(
    "url", ["smtp://", "smtp://:25", "smtp://host:99999", "smtp://u:sesame@[::1", "http://host"]
)
def test_what_is_no_address_of_a_server(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SMTP_URL: must be an address") as caught:
        Place.of(url)
    assert "sesame" not in str(caught.value)


def test_a_login_that_smtp_cannot_carry_stops_the_process() -> None:
    with pytest.raises(ConfigurationError, match="ASCII characters only") as caught:
        Place.of("smtp://user:s%C5%82owo@mail.example")
    assert "owo" not in str(caught.value)
