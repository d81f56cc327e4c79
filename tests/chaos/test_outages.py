"""Redis or Postgres killed, restarted, flushed, or not told: the short scenarios."""

import asyncio
import time
from functools import partial

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.processes import until
from tests.chaos.web import service
from worker.embedded import EmbeddedPostgres, EmbeddedRedis
from worker.jobs.ring import queue_keys

OUTAGE_SECONDS = 2.5
SLOTS = 20


async def test_redis_killed_and_restarted(mortal_redis: tuple[Stack, EmbeddedRedis]) -> None:
    stack, redis = mortal_redis
    workers = [await stack.worker(), await stack.worker()]
    await stack.add("gated", count=2 * SLOTS)
    await stack.add("work", count=60)
    await stack.running(2 * SLOTS)
    redis.kill()
    used = [worker.cpu_seconds() for worker in workers]
    await asyncio.sleep(OUTAGE_SECONDS)
    stack.open_gate()
    await until(lambda: len(stack.effects()) >= 2 * SLOTS)
    for before, worker in zip(used, workers, strict=True):
        assert worker.cpu_seconds() - before < 0.2 * OUTAGE_SECONDS
    await until(partial(stack.counted, "state = 'completed'", 2 * SLOTS))
    redis.start()
    await stack.settled()
    assert await stack.count("state = 'completed' AND attempt = 1 AND crashes = 0") == 100
    for worker in workers:
        await worker.stop()
    await stack.check()


async def test_redis_flushed(stack: Stack) -> None:
    workers = [await stack.worker(**SHORT_LEASE), await stack.worker(**SHORT_LEASE)]
    await stack.add("gated", count=2 * SLOTS)
    await stack.running(2 * SLOTS)
    await stack.add("work", count=1000)
    await stack.redis.flushdb()
    keys = queue_keys("work")

    async def rung_again() -> bool:
        return await stack.size(keys.jobs) == 2 * SLOTS + 1000

    await until(rung_again, 10.0)
    assert await stack.size(keys.owners) == 2 * SLOTS
    stack.open_gate()
    await stack.settled()
    assert await stack.count("state = 'completed' AND attempt = 1 AND crashes = 0") == 1040
    for worker in workers:
        await worker.stop()
    await stack.check()


async def test_postgres_killed_and_restarted(
    mortal_postgres: tuple[Stack, EmbeddedPostgres],
) -> None:
    stack, postgres = mortal_postgres
    worker = await stack.worker()
    async with service(stack) as site:
        await site.enrol()
        await stack.add("gated", count=SLOTS)
        await stack.add("work", count=30)
        await stack.running(SLOTS)
        postgres.kill()
        stack.open_gate()
        await until(lambda: len(stack.effects()) == SLOTS)
        before = worker.cpu_seconds()
        for number in range(3):
            assert await site.push(f"lost-{number}") == 503
            await asyncio.sleep(0.3)
        assert worker.cpu_seconds() - before < 0.2
        postgres.start()
        await site.push_until_accepted("kept")
        await stack.settled()
        assert await stack.count("state = 'completed' AND attempt = 1") == SLOTS + 31
        deliveries = await stack.pool.fetch("SELECT delivery_id FROM webhook_events")
        assert [row["delivery_id"] for row in deliveries] == ["kept"]
        await worker.stop()
    await stack.check()


async def test_a_push_accepted_without_redis_runs_after_it_returns(
    mortal_redis: tuple[Stack, EmbeddedRedis],
) -> None:
    stack, redis = mortal_redis
    worker = await stack.worker()
    async with service(stack) as site:
        await site.enrol()
        redis.kill()
        asked = time.monotonic()
        assert await site.push("unrung") == 202
        assert time.monotonic() - asked < 1.0
        assert await stack.count("state = 'queued'") == 1
        redis.start()
        await stack.settled()
    await worker.stop()
    await stack.check()


async def test_jobs_that_nobody_rang_start_within_four_seconds(stack: Stack) -> None:
    worker = await stack.worker()
    await stack.add("work", count=50, ring=False)
    await stack.settled(timeout=4)
    await worker.stop()
    await stack.check()
