"""Deliveries that come whole go straight to the intake, and are answered as all others are."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from multidict import CIMultiDictProxy

from tests.deliveries import Recorded
from tests.support import eventually
from tests.webhooks.service import GITHUB, Service, fresh, guid_of, serving
from tests.webhooks.test_limits import head_of, sized
from webhooks.bodies import Bodies, Room
from webhooks.github.endpoint import Shortcut, Taken
from worker.errors import RecordUnavailable
from worker.jobs.deliveries import Acceptance, Arrival, Deliveries

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
TURNS = 10
VARIABLE = {"date", "x-request-id", "content-length"}


@dataclass(frozen=True)
class Told:
    """An answer as it came over the connection."""

    line: str
    headers: dict[str, str]
    body: Any

    @property
    def lasting(self) -> dict[str, str]:
        """The headers that are the same in every answer of the kind."""
        return {n: v for n, v in self.headers.items() if n not in VARIABLE}


class Talk:
    """One connection, of which all bytes are known."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def send(self, *parts: bytes) -> None:
        """Send these so that each is read by itself."""
        for part in parts:
            self._writer.write(part)
            # Both ends are on this loop: some turns of it, and the other one has read the part.
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def answer(self) -> Told:
        """The next answer."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.strip().split("\r\n")
            headers = {n.lower(): v for n, v in (text.split(": ", 1) for text in lines)}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Told(line, headers, json.loads(body))

    async def end(self) -> bytes:
        """What comes until the other side closes."""
        async with asyncio.timeout(10):
            return await self.reader.read()


@asynccontextmanager
async def talking(service: Service) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    yield Talk(reader, writer)
    writer.close()


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each delivery offered to the short cut was taken by it."""
    taken: list[bool] = []
    take = Shortcut.take

    def spy(self: Shortcut, headers: CIMultiDictProxy[str], body: bytes) -> Taken | None:
        reply = take(self, headers, body)
        taken.append(reply is not None)
        return reply

    monkeypatch.setattr(Shortcut, "take", spy)
    return taken


def whole(recorded: Recorded, **more: object) -> bytes:
    return head_of(recorded, **more) + recorded.body


async def test_both_ways_give_the_same_answer(service: Service, direct: list[bool]) -> None:
    first, second = fresh(), fresh()
    async with talking(service) as talk:
        await talk.send(whole(first))
        straight = await talk.answer()
        await talk.send(head_of(second), second.body)
        usual = await talk.answer()
    assert direct == [True]
    assert straight.line == usual.line == "HTTP/1.1 202 Accepted"
    assert straight.lasting == usual.lasting
    assert straight.headers.keys() == usual.headers.keys()
    assert straight.headers["x-request-id"] != usual.headers["x-request-id"]
    assert straight.body["deliveryId"] == guid_of(first)
    assert straight.body.keys() == usual.body.keys()


@pytest.mark.parametrize("name", ["push_tag", "ping", "unknown_event"])
async def test_what_causes_no_job_goes_straight_too(
    service: Service, direct: list[bool], name: str
) -> None:
    recorded = fresh(name)
    async with talking(service) as talk:
        await talk.send(whole(recorded), head_of(recorded), recorded.body)
        straight, usual = await talk.answer(), await talk.answer()
    assert (direct, straight.line) == ([True], usual.line)
    assert straight.lasting == usual.lasting
    assert usual.body.keys() - straight.body.keys() <= {"duplicate"}


async def test_many_on_one_connection(service: Service, direct: list[bool]) -> None:
    async with talking(service) as talk:
        for _ in range(20):
            recorded = fresh()
            await talk.send(whole(recorded))
            assert (await talk.answer()).body["deliveryId"] == guid_of(recorded)
    assert direct == [True] * 20
    assert service.resources.bodies.room.taken == 0


UNUSUAL: dict[str, Callable[[bytes], bytes]] = {
    "another path": lambda r: r.replace(GITHUB.encode(), GITHUB.encode() + b"?a=1", 1),
    "closing": lambda r: r.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    "http 1.0": lambda r: r.replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "expecting": lambda r: r.replace(b"\r\n", b"\r\nExpect: 100-continue\r\n", 1),
    "upgrading": lambda r: r.replace(b"\r\n", b"\r\nConnection: upgrade\r\nUpgrade: x\r\n", 1),
}


@pytest.mark.parametrize("unusual", UNUSUAL)
async def test_what_asks_for_more_goes_the_usual_way(
    service: Service, direct: list[bool], unusual: str
) -> None:
    recorded = fresh()
    async with talking(service) as talk:
        await talk.send(UNUSUAL[unusual](whole(recorded)))
        if unusual == "expecting":
            assert await talk.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = await talk.answer()
    assert direct == []
    assert answer.body["deliveryId"] == guid_of(recorded)


async def test_a_large_delivery_goes_the_usual_way(service: Service, direct: list[bool]) -> None:
    async with talking(service) as talk:
        await talk.send(whole(sized(100_000)))
        assert "202" in (await talk.answer()).line
    assert direct == []


async def test_chunks_go_the_usual_way(service: Service, direct: list[bool]) -> None:
    recorded = fresh()
    head = head_of(recorded, Transfer_Encoding="chunked").replace(
        f"Content-Length: {len(recorded.body)}\r\n".encode(), b""
    )
    async with talking(service) as talk:
        await talk.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(recorded.body), recorded.body))
        assert (await talk.answer()).body["deliveryId"] == guid_of(recorded)
    assert direct == []


async def test_several_requests_in_one_piece_are_answered_in_order(
    service: Service, direct: list[bool]
) -> None:
    first, second = fresh(), fresh()
    async with talking(service) as talk:
        await talk.send(whole(first) + LIVEZ + whole(second))
        answers = [await talk.answer() for _ in range(3)]
    assert direct == []
    assert [a.body.get("deliveryId") for a in answers] == [guid_of(first), None, guid_of(second)]


# Where a request is cut, and whether its body then comes in one piece.
CUTS = {1: True, 4: True, 30: True, -1: False}


@pytest.mark.parametrize("cut", CUTS)
async def test_the_beginning_of_the_next_request_is_not_lost(
    service: Service, direct: list[bool], cut: int
) -> None:
    first, second = fresh(), fresh()
    following = whole(second)
    async with talking(service) as talk:
        await talk.send(whole(first) + following[:cut])
        assert (await talk.answer()).body["deliveryId"] == guid_of(first)
        assert direct == []
        await talk.send(following[cut:])
        assert (await talk.answer()).body["deliveryId"] == guid_of(second)
    assert direct == ([True] if CUTS[cut] else [])


@pytest.mark.parametrize("cut", CUTS)
async def test_a_request_in_two_pieces_is_one(
    service: Service, direct: list[bool], cut: int
) -> None:
    recorded = fresh()
    request = whole(recorded)
    async with talking(service) as talk:
        await talk.send(request[:cut], request[cut:])
        assert (await talk.answer()).body["deliveryId"] == guid_of(recorded)
    assert direct == ([True] if CUTS[cut] else [])


async def test_a_request_inside_anothers_header_is_no_request(
    service: Service, direct: list[bool]
) -> None:
    """The second piece looks like a whole delivery, and is the rest of a request to elsewhere."""
    async with talking(service) as talk:
        await talk.send(b"POST /nowhere HTTP/1.1\r\nX-Trick: ", whole(fresh()))
        answer = await talk.answer()
    assert (direct, answer.line) == ([], "HTTP/1.1 404 Not Found")


async def test_a_request_inside_anothers_body_is_no_request(
    service: Service, direct: list[bool]
) -> None:
    inner = whole(fresh())
    outer = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
    async with talking(service) as talk:
        await talk.send(outer, inner, LIVEZ)
        lines = [(await talk.answer()).line for _ in range(2)]
    assert (direct, lines) == ([], ["HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK"])


async def test_a_request_that_comes_before_the_answer_waits_for_it(
    service: Service, direct: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _gated(monkeypatch)
    first, second = fresh(), fresh()
    async with talking(service) as talk:
        await talk.send(whole(first), LIVEZ, whole(second))
        assert direct == [True]
        gate.set()
        answers = [await talk.answer() for _ in range(3)]
    assert [a.body.get("deliveryId") for a in answers] == [guid_of(first), None, guid_of(second)]


async def test_leaving_before_the_answer_leaves_a_whole_delivery(
    service: Service, direct: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _gated(monkeypatch)
    recorded = fresh()
    async with talking(service) as talk:
        await talk.send(whole(recorded))
    assert direct == [True]
    gate.set()
    kept = "SELECT 1 FROM jobs WHERE delivery_id = $1"
    assert len(await eventually(lambda: service.rows(kept, guid_of(recorded)))) == 1
    await eventually(lambda: service.resources.bodies.room.taken == 0)


async def test_what_is_refused_is_told_by_the_usual_way(
    service: Service, direct: list[bool]
) -> None:
    recorded = fresh()
    forged = whole(recorded).replace(b"sha256=", b"sha256=0", 1)
    async with talking(service) as talk:
        await talk.send(forged)
        refused = await talk.answer()
        await talk.send(whole(recorded))
        accepted = await talk.answer()
    assert direct == [False, True]
    assert (refused.line, refused.body["error"]["code"]) == (
        "HTTP/1.1 401 Unauthorized", "unauthorized",
    )  # fmt: skip
    assert accepted.body["deliveryId"] == guid_of(recorded)
    assert service.resources.bodies.room.taken == 0


async def test_errors_of_the_record_are_told_the_same_both_ways(
    service: Service, direct: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise RecordUnavailable("Postgres cannot be reached: it is a test")

    monkeypatch.setattr(service.resources.intake._deliveries, "accept", away)
    recorded = fresh()
    async with talking(service) as talk:
        await talk.send(whole(recorded), head_of(recorded), recorded.body)
        straight, usual = await talk.answer(), await talk.answer()
    assert direct == [True]
    assert straight.line == usual.line == "HTTP/1.1 503 Service Unavailable"
    assert (straight.lasting, straight.body) == (usual.lasting, usual.body)
    assert straight.headers["retry-after"] == "5"
    assert service.resources.bodies.room.taken == 0


async def test_without_room_a_delivery_waits_like_every_other(
    service: Service, direct: list[bool]
) -> None:
    recorded = fresh()
    room = Room(capacity=len(recorded.body), patience=5)
    before = service.resources.bodies
    object.__setattr__(service.resources, "bodies", Bodies(room))
    await room.take(1)
    async with talking(service) as talk:
        await talk.send(whole(recorded))
        assert direct == [False]
        room.give_back(1)
        assert "202" in (await talk.answer()).line
    assert room.taken == 0
    object.__setattr__(service.resources, "bodies", before)


async def test_after_a_straight_answer_headers_have_their_time_again(
    database_url: str, redis_url: str, direct: list[bool]
) -> None:
    async with serving(database_url, redis_url, header_seconds=0.2) as own, talking(own) as talk:
        await talk.send(whole(fresh()))
        assert "202" in (await talk.answer()).line
        await talk.send(b"POST / HTTP/1.1\r\nHost")
        assert (await talk.end()).startswith(b"HTTP/1.1 408")
    assert direct == [True]


async def test_a_stopping_service_closes_after_the_answer(
    database_url: str, redis_url: str, direct: list[bool]
) -> None:
    async with serving(database_url, redis_url) as own, talking(own) as talk:
        own.resources.health.draining = True
        await talk.send(whole(fresh()))
        answer = await talk.answer()
        assert (answer.headers["connection"], await talk.end()) == ("close", b"")
    assert direct == [False]


async def test_the_end_waits_for_an_answer_under_way(
    database_url: str, redis_url: str, direct: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _gated(monkeypatch)
    async with asyncio.timeout(10), serving(database_url, redis_url) as own:
        reader, writer = await asyncio.open_connection("127.0.0.1", own.port)
        talk = Talk(reader, writer)
        await talk.send(whole(fresh()))
        asyncio.get_running_loop().call_later(0.2, gate.set)
    assert direct == [True]
    assert "202" in (await talk.answer()).line
    assert await talk.end() == b""
    writer.close()


def _gated(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Nothing is recorded before this is set."""
    gate, accept = asyncio.Event(), Deliveries.accept

    async def wait(self: Deliveries, arrivals: Sequence[Arrival]) -> list[Acceptance]:
        await gate.wait()
        return await accept(self, arrivals)

    monkeypatch.setattr(Deliveries, "accept", wait)
    return gate
