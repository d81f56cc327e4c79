"""SIGTERM: whatever is under way, the process ends in good order and nothing is counted."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import Process, until
from worker.embedded import EmbeddedPostgres, EmbeddedRedis

LONG = 10
IMPATIENT = {"SHUTDOWN_TIMEOUT_MS": "200"}


@pytest.mark.parametrize("restarts", [2, pytest.param(18, marks=pytest.mark.chaos)])
@pytest.mark.timeout(180)
async def test_sigterm_under_load(stack: Stack, restarts: int) -> None:
    """Twenty restarts in all: no-op jobs flow all the time, long ones last until the end."""
    current = await stack.worker(**IMPATIENT)
    await stack.add("gated", count=LONG)
    async with flow_of_noops(stack):
        for _ in range(restarts):
            await until(partial(long_jobs_held_by, stack, current))
            following = await stack.worker(**IMPATIENT)
            await current.stop()
            current = following
            await until(partial(long_jobs_held_by, stack, current), 2.0)
    stack.open_gate()
    await stack.settled()

    odd = await stack.pool.fetch("SELECT * FROM jobs WHERE state <> 'completed' OR failures > 0")
    assert not odd
    noops = await stack.pool.fetchval("SELECT count(*) FROM jobs WHERE kind = 'noop'")
    assert len(stack.effects()) == noops + LONG
    outcomes = await stack.pool.fetch("SELECT DISTINCT outcome FROM job_attempts")
    assert [row["outcome"] for row in outcomes] == ["released"]
    await current.stop()
    await stack.check()


async def test_sigterm_while_starting(stack: Stack, chance: random.Random) -> None:
    first = await stack.worker()
    await stack.add("work", {"seconds": 0.2}, count=40)
    started = asyncio.get_running_loop().time()
    starting = [stack.spawn("arq", "tests.chaos.app.WorkerSettings") for _ in range(3)]
    for process in starting:
        await asyncio.sleep(chance.uniform(0.2, 0.6))
        process.signal(signal.SIGTERM)
    for process in starting:
        # Before Python has come as far as our handlers the signal ends it on the spot.
        assert await process.ended() in (0, -signal.SIGTERM), process.text
    assert asyncio.get_running_loop().time() - started < 10
    await stack.settled()
    await first.stop()
    await stack.check()
    assert await stack.pool.fetchval("SELECT sum(failures + crashes) FROM jobs") == 0


async def test_sigterm_again_and_again(stack: Stack) -> None:
    worker = await stack.worker(SHUTDOWN_TIMEOUT_MS="5000")
    await stack.add("work", {"seconds": 1})
    await stack.running(1)
    for _ in range(5):
        worker.signal(signal.SIGTERM)
        await asyncio.sleep(0.05)
    worker.signal(signal.SIGINT)
    assert await worker.ended() == 0
    await stack.settled(timeout=0)
    await stack.check()


@pytest.mark.chaos
async def test_sigterm_with_redis_down(mortal_redis: tuple[Stack, EmbeddedRedis]) -> None:
    stack, redis = mortal_redis
    worker = await stack.worker(**IMPATIENT)
    short = await stack.add("work", {"seconds": 1.0}, count=5)
    await stack.add("gated", count=5)
    await stack.running(10)
    redis.kill()
    await until(lambda: len(stack.effects()) == len(short))
    asked = time.monotonic()
    await worker.stop()
    took = time.monotonic() - asked
    assert await stack.count("state = 'completed'") == len(short)
    assert await stack.count("state = 'queued' AND attempt = 1 AND crashes = 0") == 5
    redis.start()
    stack.open_gate()
    following = await stack.worker()
    await stack.settled()
    await following.stop()
    await stack.check()
    assert took < 10
    note("SIGTERM with Redis down", "exit 0 within 10 s, nothing counted", f"{took:.1f} s")


@pytest.mark.chaos
async def test_sigterm_with_postgres_down(mortal_postgres: tuple[Stack, EmbeddedPostgres]) -> None:
    """What cannot be recorded runs again elsewhere, as after a crash; its effects do not."""
    stack, postgres = mortal_postgres
    worker = await stack.worker(**IMPATIENT, **SHORT_LEASE)
    await stack.add("effects", {"steps": 2, "seconds": 0.3}, count=10)
    await stack.running(10)
    await asyncio.sleep(0.4)
    postgres.kill()
    asked = time.monotonic()
    await worker.stop()
    took = time.monotonic() - asked
    postgres.start()
    following = await stack.worker(**SHORT_LEASE)
    await stack.settled()
    await following.stop()
    await stack.check(effects=False, errors={"job.unrecorded"})
    assert await stack.count("state = 'completed' AND attempt = 2") == 10
    assert took < 15
    note("SIGTERM with Postgres down", "exit 0 within 15 s", f"{took:.1f} s")


@asynccontextmanager
async def flow_of_noops(stack: Stack) -> AsyncIterator[None]:
    """Ten new jobs every 20 ms."""

    async def flow() -> None:
        while True:
            await stack.add("noop", queue="noop", count=10)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(flow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def long_jobs_held_by(stack: Stack, worker: Process) -> bool:
    """Whether all the long jobs are running in that process."""
    held = await stack.pool.fetchval(
        "SELECT count(*) FROM jobs WHERE kind = 'gated' AND state = 'running' AND worker LIKE $1",
        f"%:{worker.pid}:%",
    )
    return bool(held == LONG)
