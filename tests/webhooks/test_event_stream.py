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
from worker.jobs.events import NewEvent, Publisher


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
