"""SIGTERM: whatever is under way, the process ends in good order and nothing is counted."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from tests.chaos.harness import Stack
from tests.chaos.processes import Process, until

LONG = 10
RESTARTS = 5
IMPATIENT = {"SHUTDOWN_TIMEOUT_MS": "200"}


@pytest.mark.parametrize("quarter", range(4))
async def test_sigterm_under_load(stack: Stack, quarter: int) -> None:
    """Twenty restarts in all: no-op jobs flow all the time, long ones last until the end."""
    current = await stack.worker(**IMPATIENT)
    await stack.add("gated", count=LONG)
    async with flow_of_noops(stack):
        for _ in range(RESTARTS):
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


async def test_sigterm_while_starting(stack: Stack) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
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
