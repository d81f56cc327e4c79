"""One request, and what comes of it: nothing that a receiver does gets out of hand."""

import asyncio
import gzip
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from tests.outgoing.certificates import certificate
from tests.outgoing.receivers import Receiver, answer, receiving, serving
from tests.outgoing.test_guard import Answers
from tests.support import eventually
from worker.outgoing.outcomes import Sent
from worker.outgoing.sending import MOST_READ, Sender
from worker.outgoing.signing import new_secret

LOOPBACK = [ip_network("127.0.0.0/8")]
SECRET = new_secret()
BODY = b'{"type": "x",   "data": {"\xc3\xbc": 1}}'
ID = "01a20203-22b3-790e-a572-75941ee1904d"


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(LOOPBACK)
    yield sender
    await sender.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Sender]:
    """A sender that waits for a fifth of a second."""
    sender = Sender(LOOPBACK, limit=0.2)
    yield sender
    await sender.close()


async def sent(sender: Sender, receiver: Receiver) -> Sent:
    return await sender.send(receiver.url, [SECRET], ID, BODY)


async def test_the_very_bytes_arrive_signed(sender: Sender) -> None:
    async with receiving(answer(body=b"thanks")) as receiver:
        found = await sent(sender, receiver)
    assert (found.status, found.error_class, found.answer) == (200, None, b"thanks")
    [received] = receiver.received
    assert received.line == "POST /hook HTTP/1.1"
    assert received.body == BODY
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == "Switchyard"
    assert received.headers["webhook-id"] == ID
    Webhook(SECRET).verify(received.body, received.headers)


async def test_each_attempt_has_its_own_time_and_the_same_id(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([1_800_000_000.9, 1_800_000_007.1])
    monkeypatch.setattr("worker.outgoing.sending.time.time", lambda: next(moments))
    async with receiving() as receiver:
        await sent(sender, receiver)
        await sent(sender, receiver)
    one, other = (r.headers for r in receiver.received)
    assert one["webhook-id"] == other["webhook-id"]
    assert (one["webhook-timestamp"], other["webhook-timestamp"]) == ("1800000000", "1800000007")
    assert one["webhook-signature"] != other["webhook-signature"]


@pytest.mark.parametrize(
    ("status", "error_class"),
    [(200, None), (201, None), (202, None), (204, None), (299, None), (300, "redirect"),
     (301, "redirect"), (304, "redirect"), (307, "redirect"), (400, "client_error"),
     (401, "client_error"), (404, "client_error"), (410, "gone"), (429, "rate_limited"),
     (500, "server_error"), (502, "server_error"), (503, "server_error"), (504, "server_error"),
     (600, "protocol")],
)  # fmt: skip
async def test_only_2xx_is_success(sender: Sender, status: int, error_class: str | None) -> None:
    body = b"" if status in (204, 304) else b"ok"
    reply = answer(body=body).replace(b"200 OK", f"{status} So".encode())
    async with receiving(reply) as receiver:
        found = await sent(sender, receiver)
    assert (found.status, found.error_class) == (status, error_class)
    assert (found.error is None) == (error_class is None)
    assert found.error is None or str(status) in found.error


async def test_nothing_follows_a_redirect(sender: Sender) -> None:
    async with receiving() as elsewhere, receiving() as receiver:
        receiver.answers = [answer(308, Location=elsewhere.url)]
        found = await sent(sender, receiver)
    assert (found.error_class, elsewhere.accepted) == ("redirect", 0)
    assert found.error
    assert "final URL" in found.error


async def test_who_gives_no_answer_is_waited_for_no_longer_than_the_limit(hasty: Sender) -> None:
    async with receiving(None) as receiver:
        found = await sent(hasty, receiver)
        assert found.error_class == "timeout"
        assert found.error == "the endpoint gave no answer within 0.2 s"
        assert 200 <= found.duration_ms < 2000


def test_the_limit_is_thirty_seconds() -> None:
    assert Sender()._limit == 30.0


async def test_connecting_counts_towards_the_limit(hasty: Sender) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.socket() as waiting:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
            found = await hasty.send(f"http://127.0.0.1:{port}/", [SECRET], ID, BODY)
    assert found.error_class == "timeout"


async def test_a_header_that_drips_is_cut_off(hasty: Sender) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as url:
        found = await hasty.send(url, [SECRET], ID, BODY)
    assert (found.error_class, found.duration_ms < 2000) == ("timeout", True)


async def test_a_2xx_counts_even_if_its_body_never_comes(hasty: Sender) -> None:
    async def begin(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
        await asyncio.Event().wait()

    async with serving(begin) as url:
        found = await hasty.send(url, [SECRET], ID, BODY)
    assert (found.status, found.error_class, found.answer) == (200, None, b"begun")
    assert found.duration_ms < 2000


async def test_of_an_answer_that_breaks_off_its_beginning_is_kept(sender: Sender) -> None:
    async with receiving(b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nbegun") as receiver:
        found = await sent(sender, receiver)
    assert (found.status, found.error_class, found.answer) == (500, "server_error", b"begun")


@pytest.mark.parametrize(
    ("reply", "error_class"),
    [
        (b"", "disconnected"),
        (b"HTTP/1.1 200", "disconnected"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10_000 + b"\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "protocol"),
    ],
    ids=["nothing", "a part", "another protocol", "a long header", "many headers", "a lie"],
)
async def test_what_is_no_answer_is_a_failure(
    sender: Sender, reply: bytes, error_class: str
) -> None:
    async with receiving(reply) as receiver:
        found = await sent(sender, receiver)
    assert found.error_class == error_class
    assert found.error


async def test_where_nobody_listens_there_is_no_connection(sender: Sender) -> None:
    async with receiving() as receiver:
        pass
    found = await sent(sender, receiver)
    assert (found.error_class, found.status) == ("connect", None)
    assert found.error
    assert "refused" in found.error.lower()


async def test_a_name_that_nobody_knows(sender: Sender) -> None:
    found = await sender.send("http://nobody.invalid/", [SECRET], ID, BODY)
    assert found.error_class == "dns"


async def test_a_refused_address_is_told_to_the_operator_alone() -> None:
    async with receiving() as receiver:
        sender = Sender([], Answers(["127.0.0.1"]))
        found = await sender.send(f"http://hooks.example.com:{receiver.port}/", [SECRET], ID, BODY)
        await sender.close()
        assert (found.error_class, found.refused, receiver.accepted) == (
            "refused_address", "127.0.0.1", 0,
        )  # fmt: skip
    assert found.error
    assert "127" not in found.error


async def test_a_url_in_an_odd_form_is_not_sent_to(sender: Sender) -> None:
    async with receiving() as receiver:
        url = f"http://2130706433:{receiver.port}/"
        found = await sender.send(url, [SECRET], ID, BODY)
        assert (found.error_class, receiver.accepted) == ("refused_address", 0)


async def test_of_an_answer_4_kb_are_kept(sender: Sender) -> None:
    text = bytes(range(256)) * 100
    async with receiving(answer(500, text)) as receiver:
        found = await sent(sender, receiver)
    assert found.answer == text[:4096]


async def test_of_an_endless_answer_little_is_read(sender: Sender) -> None:
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")
            await writer.drain()
            written += 0x4000

    async with serving(flood) as url:
        found = await sender.send(url, [SECRET], ID, BODY)
    assert (found.status, found.answer) == (200, b"a" * 4096)
    assert found.duration_ms < 2000
    # What the kernel's buffers take besides.
    assert written < MOST_READ + 32 * 1024 * 1024


async def test_nothing_is_unpacked(sender: Sender) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    async with receiving(answer(body=bomb, Content_Encoding="gzip")) as receiver:
        found = await sent(sender, receiver)
    assert found.answer == bomb[:4096]
    assert receiver.received[0].headers["accept-encoding"] == "identity"


async def test_who_answers_without_reading_is_not_waited_for(sender: Sender) -> None:
    async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(413))
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(answer_at_once, limit=1024) as url:
        found = await sender.send(url, [SECRET], ID, b"x" * 16_000_000)
    assert (found.status, found.duration_ms < 2000) == (413, True)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7.0), ("0", 0.0), ("3600", 3600.0), ("3601", 3600.0), ("9" * 400, 3600.0),
     ("soon", None), ("-5", None), ("", None), ("1e9", None), ("٣", None)],
)  # fmt: skip
async def test_a_retry_after_in_seconds(sender: Sender, told: str, seconds: float | None) -> None:
    header = f"\r\nRetry-After: {told}\r\n".encode()
    async with receiving(answer(503).replace(b"\r\n", header, 1)) as receiver:
        found = await sent(sender, receiver)
    assert found.retry_after == seconds


@pytest.mark.parametrize(
    ("minutes", "seconds"), [(2, 120.0), (-2, 0.0), (600, 3600.0)], ids=["soon", "past", "far"]
)
async def test_a_retry_after_as_a_date_by_the_endpoints_own_clock(
    sender: Sender, minutes: int, seconds: float
) -> None:
    clock = datetime(2031, 5, 5, 12, tzinfo=UTC)
    told = format_datetime(clock + timedelta(minutes=minutes), usegmt=True)
    reply = answer(429, Date=format_datetime(clock, usegmt=True), Retry_After=told)
    async with receiving(reply) as receiver:
        found = await sent(sender, receiver)
    assert found.retry_after == seconds


async def test_a_retry_after_as_a_date_without_a_clock(sender: Sender) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    async with receiving(answer(429, Retry_After=later)) as receiver:
        found = await sent(sender, receiver)
    assert found.retry_after is not None
    assert 100 < found.retry_after <= 120


async def test_a_success_asks_for_nothing(sender: Sender) -> None:
    async with receiving(answer(200, Retry_After="60")) as receiver:
        assert (await sent(sender, receiver)).retry_after is None


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
async def test_a_certificate_that_nobody_trusts_is_no_connection(
    sender: Sender, tmp_path: Path, name: str
) -> None:
    tls = certificate(tmp_path, name)
    async with receiving(tls=tls.server) as receiver:
        found = await sent(sender, receiver)
        await eventually(lambda: receiver.received == [])
    assert (found.error_class, found.status, receiver.received) == ("tls", None, [])
    assert found.error


TRUSTING = """
import asyncio, sys
from ipaddress import ip_network
from worker.outgoing.sending import Sender
async def main():
    sender = Sender([ip_network("127.0.0.0/8")])
    found = await sender.send(sys.argv[1], [sys.argv[2]], "id", b"{}")
    await sender.close()
    print(found.status, found.error_class)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("name", "came"), [("127.0.0.1", "200 None"), ("other.example", "None tls")]
)
async def test_a_trusted_certificate_is_checked_for_its_name(
    tmp_path: Path, name: str, came: str
) -> None:
    tls = certificate(tmp_path, name)
    async with receiving(tls=tls.server) as receiver:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", TRUSTING, receiver.url, SECRET, stdout=subprocess.PIPE,
            env=os.environ | {"SSL_CERT_FILE": str(tls.file)},
        )  # fmt: skip
        told, _ = await asyncio.wait_for(process.communicate(), 30)
    assert told.decode().strip() == came
