"""Ringing: once, in order of due time and priority, and never under a lease."""

import time
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from worker.engine.claims import Claims
from worker.jobs.ids import new_id
from worker.jobs.ring import Bell, Ring, queue_keys
from worker.redis_pool import connect_redis

QUEUE = "artifact-scan"
KEYS = queue_keys(QUEUE)
READY = f"{KEYS.times}:ready:"
HEAD_START_MS = 60_000


@pytest.fixture
def bell(redis: Redis) -> Bell:
    return Bell(redis)


def now_ms() -> float:
    return time.time() * 1000


async def order(redis: Redis) -> list[UUID]:
    return [UUID(member.decode()) for member in await redis.zrange(READY, 0, -1)]


async def score(redis: Redis, job_id: UUID) -> float:
    found = await redis.zscore(KEYS.times, str(job_id)) or await redis.zscore(READY, str(job_id))
    assert found is not None
    return float(found)


async def tokens(redis: Redis) -> list[bytes]:
    found = redis.lrange(KEYS.wake, 0, -1)
    assert not isinstance(found, list)
    return await found


def test_a_queues_keys_carry_its_name() -> None:
    assert KEYS.times == "arq:queue:artifact-scan"
    assert len({KEYS.times, KEYS.owners, KEYS.wake, KEYS.jobs, queue_keys("webhooks").times}) == 5


async def test_a_job_is_ready_now_and_rung_once(redis: Redis, bell: Bell) -> None:
    ring = Ring(new_id(), QUEUE)
    before = now_ms()
    assert await bell.ring([ring]) == 1
    assert before - 1 <= await score(redis, ring.id) <= now_ms()
    assert await bell.ring([ring, ring]) == 0
    assert await order(redis) == [ring.id]


async def test_a_leased_id_keeps_its_lease(redis: Redis, bell: Bell) -> None:
    ring = Ring(new_id(), QUEUE, priority=10)
    await bell.ring([ring])
    [claim] = (await Claims(redis, QUEUE, "me").claim(1)).claims
    lease = await score(redis, claim.id)
    assert lease > now_ms() + 10_000
    assert await bell.ring([ring]) == 0
    assert await score(redis, ring.id) == lease


async def test_a_future_job_is_ready_at_its_time_whatever_its_priority(
    redis: Redis, bell: Bell
) -> None:
    due = float(int(now_ms()) + 60_000)
    rings = [Ring(new_id(), QUEUE, due, priority) for priority in (0, 10)]
    await bell.ring(rings)
    assert [await score(redis, r.id) for r in rings] == [due, due]


async def test_priority_passes_a_backlog_and_ages(redis: Redis, bell: Bell) -> None:
    start = now_ms() - 3_600_000
    free = Ring(new_id(), QUEUE, start)
    soon_after = Ring(new_id(), QUEUE, start + 9 * HEAD_START_MS, priority=10)
    much_later = Ring(new_id(), QUEUE, start + 11 * HEAD_START_MS, priority=10)
    starter = Ring(new_id(), QUEUE, start + 4 * HEAD_START_MS, priority=5)
    await bell.ring([free, much_later, soon_after, starter])
    assert await order(redis) == [soon_after.id, starter.id, free.id, much_later.id]


async def test_a_ring_wakes_one_sleeper_and_leaves_one_token(redis: Redis, bell: Bell) -> None:
    await bell.ring([Ring(new_id(), QUEUE) for _ in range(3)])
    await bell.ring([Ring(new_id(), QUEUE)])
    assert len(await tokens(redis)) == 1


async def test_a_ring_that_adds_nothing_wakes_nobody(redis: Redis, bell: Bell) -> None:
    ring = Ring(new_id(), QUEUE)
    await bell.ring([ring])
    await redis.delete(KEYS.wake)
    assert await bell.ring([ring]) == 0
    assert len(await tokens(redis)) == 0


async def test_an_id_that_lost_its_place_is_given_one_again(redis: Redis, bell: Bell) -> None:
    """A Redis that evicts keys takes them one by one."""
    ring = Ring(new_id(), QUEUE)
    for lost in (READY, f"{KEYS.times}:tenants", KEYS.jobs):
        await bell.ring([ring])
        await redis.delete(lost)
        await bell.ring([ring])
        assert await order(redis) == [ring.id]
        assert await redis.zcard(f"{KEYS.times}:tenants") == 1
    assert [c.id for c in (await Claims(redis, QUEUE, "me").claim(5)).claims] == [ring.id]


async def test_each_queue_is_rung_for_itself(redis: Redis, bell: Bell) -> None:
    scan, send = Ring(new_id(), QUEUE), Ring(new_id(), "webhooks")
    assert await bell.ring([scan, send]) == 2
    assert await order(redis) == [scan.id]
    assert await redis.zcard(f"{queue_keys('webhooks').times}:ready:") == 1
    assert await bell.ring([]) == 0


async def test_a_lost_redis_is_told() -> None:
    away = connect_redis("redis://127.0.0.1:1/0")
    with pytest.raises(RedisAway):
        await Bell(away).ring([Ring(new_id(), QUEUE)])
    await away.aclose()
