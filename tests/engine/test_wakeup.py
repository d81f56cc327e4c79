"""Sleeping until there is something to do."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from arq.connections import ArqRedis

from tests.chaos.processes import until
from worker.engine.wakeup import NET_SECONDS, Wakeup
from worker.jobs.ring import Bell, Ring

AT_ONCE = NET_SECONDS / 2


@asynccontextmanager
async def running(wakeup: Wakeup, redis: ArqRedis) -> AsyncIterator[None]:
    """Run until the end of the block, from when the pop is under way."""
    task = asyncio.create_task(wakeup.run())

    async def popping() -> bool:
        return any(c["cmd"] == "blpop" for c in await redis.client_list())

    await until(popping)
    try:
        yield
    finally:
        await wakeup.stop()
        await task


async def ring(redis: ArqRedis, queue: str) -> None:
    await Bell(redis).ring([Ring(uuid4(), queue)])


async def waited(wakeup: Wakeup, queue: str, due_in_ms: float | None = None) -> float:
    """The seconds that a wait took."""
    started = time.monotonic()
    await wakeup.wait(queue, due_in_ms)
    return time.monotonic() - started


async def test_a_ring_wakes_its_queue_and_no_other(redis: ArqRedis) -> None:
    wakeup = Wakeup(redis, ["one", "two"], "me")
    async with running(wakeup, redis):
        one, two = (asyncio.create_task(waited(wakeup, q)) for q in ("one", "two"))
        await asyncio.sleep(0)
        await ring(redis, "one")
        assert await one < AT_ONCE
        assert await two > AT_ONCE


async def test_what_falls_due_wakes_by_itself(redis: ArqRedis) -> None:
    wakeup = Wakeup(redis, ["one"], "me")
    assert 0.05 <= await waited(wakeup, "one", 50) < AT_ONCE
    assert await waited(wakeup, "one", -5) < AT_ONCE
    assert AT_ONCE < await waited(wakeup, "one", 3_600_000) < NET_SECONDS + AT_ONCE


async def test_a_signal_from_within_wakes(redis: ArqRedis) -> None:
    wakeup = Wakeup(redis, ["one"], "me")
    wakeup.signal("one")
    assert await waited(wakeup, "one") < AT_ONCE


async def test_a_busy_queue_leaves_its_wakeups_to_another_process(redis: ArqRedis) -> None:
    busy, idle = Wakeup(redis, ["one", "two"], "busy"), Wakeup(redis, ["one"], "idle")
    busy.busy("one")
    async with running(busy, redis):
        await ring(redis, "one")
        async with running(idle, redis):
            assert await waited(idle, "one") < AT_ONCE


async def test_a_token_popped_in_vain_is_put_back(redis: ArqRedis) -> None:
    wakeup = Wakeup(redis, ["one", "two"], "me")
    async with running(wakeup, redis):
        wakeup.busy("one")
        await redis.lpush("arq:queue:one:wake", "1")  # type: ignore[misc]
        await redis.lpush("arq:queue:two:wake", "1")  # type: ignore[misc]
        assert await waited(wakeup, "two") < AT_ONCE
        assert await redis.lrange("arq:queue:one:wake", 0, -1) == [b"1"]  # type: ignore[misc]


async def test_a_queue_that_is_free_again_gets_its_wakeups_at_once(redis: ArqRedis) -> None:
    wakeup = Wakeup(redis, ["one", "two"], "me")
    wakeup.busy("one")
    async with running(wakeup, redis):
        await ring(redis, "one")
        assert await waited(wakeup, "one") < AT_ONCE


@pytest.mark.parametrize("reachable", [True, False])
async def test_it_stops(redis: ArqRedis, nowhere: ArqRedis, reachable: bool) -> None:
    wakeup = Wakeup(redis if reachable else nowhere, ["one"], "me")
    task = asyncio.create_task(wakeup.run())
    waiting = asyncio.create_task(waited(wakeup, "one", None))
    await asyncio.sleep(0.01)
    await wakeup.stop()
    assert await waiting < AT_ONCE
    started = time.monotonic()
    await task
    assert time.monotonic() - started < AT_ONCE
