"""Sizes and times: what is too large, too slow or too much at once, and who leaves too early."""

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest

from tests.deliveries import Recorded
from tests.support import eventually
from tests.webhooks.service import GITHUB, Answer, Service, fresh, guid_of, serving
from webhooks.bodies import MIB, Bodies, Room

LIMIT = 25 * MIB


def sized(size: int) -> Recorded:
    """A push of exactly so many bytes."""
    empty = fresh(padding="")
    return Recorded(empty.headers, empty.body.replace(b'"padding":""', b'"padding":"%b"' % (
        b"x" * (size - len(empty.body)))))  # fmt: skip


def head_of(recorded: Recorded, **more: object) -> bytes:
    """The signed request without its body; `more` are headers, with underscores for dashes."""
    headers = {"Host": "x", "Content-Length": str(len(recorded.body)), **recorded.signed()}
    headers |= {name.replace("_", "-"): str(value) for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {GITHUB} HTTP/1.1\r\n{lines}\r\n".encode()


async def test_25_mb_are_accepted_and_others_are_served_meanwhile(service: Service) -> None:
    large = sized(LIMIT)
    assert len(large.body) == LIMIT
    answers: list[Answer] = []
    delivering = asyncio.create_task(service.deliver(large))
    while not delivering.done():
        answers.append(await service.call("GET", "/livez"))
    [row] = await service.rows(
        "SELECT length(body) AS size FROM webhook_events WHERE delivery_id = $1", guid_of(large)
    )
    assert (delivering.result().status, row["size"]) == (202, LIMIT)
    assert max(a.seconds for a in answers) < 1.0
    assert service.resources.bodies.room.taken == 0


async def test_one_byte_more_is_refused_by_its_length_alone(service: Service) -> None:
    before = await service.counts()
    head = head_of(fresh(), Content_Length=LIMIT + 1, Connection="close")
    answer = await asyncio.wait_for(service.raw(head), 5)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"code":"too_large"' in answer
    assert await service.counts() == before


async def test_chunks_are_counted_while_they_come(service: Service) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(26):
            yield b" " * MIB

    recorded = fresh()
    answer = await service.call("POST", GITHUB, data=chunks(), headers=recorded.signed())
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    assert service.resources.bodies.room.taken == 0


async def test_an_api_call_has_a_smaller_limit(service: Service) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await service.call(
        "POST", "/api/projects", data=BytesIO(b" " * 9 * MIB), headers=headers
    )
    assert answer.status == 413


async def test_slow_headers_end_the_connection(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url, header_seconds=0.2) as own:
        for beginning in (b"", b"POST / HTT", b"POST / HTTP/1.1\r\nHost: x\r\nX-A"):
            answer = await own.raw(beginning)
            assert answer.startswith(b"HTTP/1.1 408")


async def test_trickled_headers_gain_no_time(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url, header_seconds=0.3) as own:
        reader, writer = await asyncio.open_connection("127.0.0.1", own.port)
        started = asyncio.get_running_loop().time()
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ")
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"a")
            await asyncio.wait({answer}, timeout=0.02)
        writer.close()
        assert answer.result().startswith(b"HTTP/1.1 408")
        assert asyncio.get_running_loop().time() - started < 1.0


async def test_an_idle_connection_that_was_used_is_kept(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url, header_seconds=0.1) as own:
        reader, writer = await asyncio.open_connection("127.0.0.1", own.port)
        for _ in range(3):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"}")
            # Longer than headers may take: nothing is being sent, so no clock runs.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.15)
        writer.write(b"GET /livez HT")
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_slow_body_and_a_lying_length_are_timed_out(
    database_url: str, redis_url: str
) -> None:
    async with serving(database_url, redis_url) as own:
        own.resources.bodies._seconds = 0.2
        recorded = fresh()
        answer = await own.raw(head_of(recorded, Content_Length=len(recorded.body) + 10)
                               + recorded.body)  # fmt: skip
        assert answer.startswith(b"HTTP/1.1 408")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"
        assert await own.counts() == (0, 0, 0)
        assert own.resources.bodies.room.taken == 0


async def test_a_length_that_is_too_short_is_malformed(service: Service) -> None:
    before = await service.counts()
    recorded = fresh()
    answer = await service.raw(head_of(recorded, Content_Length=100, Connection="close")
                               + recorded.body)  # fmt: skip
    # What is left of the body is no request line.
    assert b" 400 " in answer.splitlines()[0]
    assert await service.counts() == before


async def test_leaving_before_the_end_of_the_body_leaves_nothing(service: Service) -> None:
    before = await service.counts()
    recorded = fresh()
    await service.raw(head_of(recorded) + recorded.body[:-1], then_close=True)
    await eventually(lambda: service.resources.bodies.room.taken == 0)
    assert await service.counts() == before


async def test_leaving_after_the_end_of_the_body_leaves_a_whole_delivery(service: Service) -> None:
    recorded = fresh()
    await service.raw(head_of(recorded) + recorded.body, then_close=True)
    found: list[dict[str, Any]] = await eventually(
        lambda: service.rows(
            "SELECT w.body, j.id FROM webhook_events w JOIN jobs j USING (delivery_id)"
            " WHERE delivery_id = $1",
            guid_of(recorded),
        )
    )
    assert [row["body"] for row in found] == [recorded.body]


async def test_bytes_in_flight_are_bounded(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        room = Room(capacity=100_000, patience=0.1)
        object.__setattr__(own.resources, "bodies", Bodies(room))
        reader, writer = await asyncio.open_connection("127.0.0.1", own.port)
        large = sized(90_000)
        writer.write(head_of(large) + large.body[:-1])
        await eventually(lambda: room.taken == 89_999)
        full = await own.deliver(sized(20_000))
        assert (full.status, full.error["code"]) == (503, "overloaded")
        assert int(full.headers["Retry-After"]) > 0
        waiting = asyncio.create_task(own.deliver(fresh()))
        assert (await waiting).status in (202, 503)
        writer.write(large.body[-1:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        writer.close()
        assert (await own.deliver(sized(20_000))).status == 202
        assert room.taken == 0


async def test_room_is_given_to_who_waits_for_it() -> None:
    room = Room(capacity=10, patience=5)
    await room.take(8)
    waiting = asyncio.create_task(room.take(5))
    await asyncio.wait({waiting}, timeout=0)
    room.give_back(8)
    await waiting
    assert room.taken == 5
