"""Live events: replay from where a client left off, then live, none missed and none twice."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from tests.support import eventually
from tests.webhooks.service import Service, serving
from webhooks.api import events as live
from worker.jobs import events as recorded
from worker.jobs.events import NewEvent, Publisher, publish_progress


class Stream:
    """A reader of server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def block(self) -> dict[str, str]:
        """The fields of the next block; a comment's name is empty."""
        async with asyncio.timeout(5):
            text = (await self.response.content.readuntil(b"\n\n")).decode()
        return dict(line.split(": ", 1) for line in text.strip().split("\n"))

    async def numbers(self, count: int) -> list[int]:
        """The `n` of the next events."""
        return [orjson.loads((await self.block())["data"])["payload"]["n"] for _ in range(count)]


@asynccontextmanager
async def follow(service: Service, project: str, **headers: str) -> AsyncIterator[Stream]:
    """Open a stream and read its prelude."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/api/projects/{project}/events"
    async with service.client.get(path, headers=named) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        stream = Stream(response)
        assert (await stream.block())["retry"]
        yield stream


async def publish(service: Service, project: str, *numbers: int) -> None:
    """Publish events as the worker does."""
    publisher = Publisher(service.resources.pool, service.resources.redis)
    for n in numbers:
        await publisher.publish(NewEvent(uuid.UUID(project), "job_progress", {"n": n}))


async def test_events_come_live_as_in_the_contract(service: Service) -> None:
    project = (await service.enrol("live/events"))["id"]
    await publish(service, project, 0)
    async with follow(service, project) as stream:
        await publish(service, project, 1)
        block = await stream.block()
        event: dict[str, Any] = orjson.loads(block["data"])
    assert set(event) == {"event", "projectId", "timestamp", "payload"}
    assert (event["event"], event["projectId"], event["payload"]["n"]) == (
        "job_progress", project, 1,
    )  # fmt: skip
    assert "-" in block["id"]


async def test_a_client_resumes_where_it_left_off(service: Service) -> None:
    project = (await service.enrol("resumed/events"))["id"]
    async with follow(service, project) as stream:
        await publish(service, project, 1, 2, 3)
        first = await stream.block()
    await publish(service, project, 4)
    async with follow(service, project, Last_Event_ID=first["id"]) as stream:
        await publish(service, project, 5)
        assert await stream.numbers(4) == [2, 3, 4, 5]


async def test_nothing_is_missed_or_seen_twice_between_replay_and_live(service: Service) -> None:
    project = (await service.enrol("busy/events"))["id"]
    await publish(service, project, *range(20))
    publishing = asyncio.create_task(publish(service, project, *range(20, 300)))
    async with follow(service, project, Last_Event_ID="0-0") as stream:
        assert await stream.numbers(300) == list(range(300))
    await publishing


async def test_heartbeats_keep_a_silent_stream_open(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(live, "BLOCK_MS", 10)
    project = (await service.enrol("silent/events"))["id"]
    async with follow(service, project) as stream:
        assert await stream.block() == {"": "heartbeat"}


async def test_a_client_that_leaves_frees_its_place(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BLOCK_MS", 10)
    async with serving(database_url, redis_url) as own:
        project = (await own.enrol())["id"]
        places = own.resources.streams
        free = places._value
        async with follow(own, project) as stream:
            assert places._value == free - 1
            stream.response.close()
            await eventually(lambda: places._value == free)


async def test_streams_are_bounded(service: Service) -> None:
    project = (await service.enrol("bounded/events"))["id"]
    places = service.resources.streams
    taken = places._value
    for _ in range(taken):
        await places.acquire()
    try:
        answer = await service.call("GET", f"/api/projects/{project}/events")
    finally:
        for _ in range(taken):
            places.release()
    assert (answer.status, answer.error["code"]) == (503, "overloaded")


async def test_a_stream_needs_a_project_and_an_id_it_could_have_sent(service: Service) -> None:
    unknown = await service.call("GET", f"/api/projects/{uuid.uuid4()}/events")
    path = f"/api/projects/{(await service.enrol('odd/id'))['id']}/events"
    odd = [await service.call("GET", path, headers={"Last-Event-ID": i})
           for i in ("$", "x", "1-2-3", "9" * 40, "9" * 20)]  # fmt: skip
    assert unknown.status == 404
    assert [a.status for a in odd] == [400] * 5


async def test_stopping_ends_the_streams(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        project = (await own.enrol())["id"]
        async with follow(own, project) as stream:
            own.resources.health.draining = True
            async with asyncio.timeout(5):
                assert await stream.response.content.read() == b""


async def test_without_redis_there_is_no_stream_but_an_answer(database_url: str) -> None:
    async with serving(database_url, "redis://127.0.0.1:1/0") as own:
        project = (await own.enrol())["id"]
        answer = await own.call("GET", f"/api/projects/{project}/events")
        assert (answer.status, answer.error["code"]) == (503, "overloaded")


async def report(service: Service, project: str, *numbers: int) -> None:
    """Publish progress as the worker does."""
    for n in numbers:
        event = NewEvent(uuid.UUID(project), "job_progress", {"n": n})
        await publish_progress(service.resources.redis, [event])


async def test_progress_comes_live_and_does_not_move_the_place_to_resume_at(
    service: Service,
) -> None:
    project = (await service.enrol("progress/events"))["id"]
    await report(service, project, 0)
    async with follow(service, project) as stream:
        await publish(service, project, 1)
        event = await stream.block()
        await report(service, project, 2)
        progress = await stream.block()
    assert "id" in event
    assert "id" not in progress
    assert orjson.loads(progress["data"])["payload"]["n"] == 2
    await report(service, project, 3)
    await publish(service, project, 4)
    async with follow(service, project, Last_Event_ID=event["id"]) as stream:
        assert await stream.numbers(1) == [4], "progress is not replayed"


async def test_progress_pushes_no_event_out_of_the_replay(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = (await service.enrol("much/progress"))["id"]
    monkeypatch.setattr(recorded, "PROGRESS_LENGTH", 20)
    await publish(service, project, 1)
    await report(service, project, *range(100, 200))
    length = await service.resources.redis.xlen(recorded.progress_stream(project))
    assert 20 <= length < 100
    async with follow(service, project, Last_Event_ID="0-0") as stream:
        assert await stream.numbers(1) == [1]


async def test_progress_and_events_keep_their_order(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "AT_ONCE", 3)
    project = (await service.enrol("orderly/events"))["id"]
    async with follow(service, project) as stream:
        for n in range(0, 40, 4):
            await report(service, project, n, n + 1)
            await publish(service, project, n + 2, n + 3)
            # Within a millisecond progress is taken to come first.
            await asyncio.sleep(0.002)
        assert await stream.numbers(40) == [*range(40)]
