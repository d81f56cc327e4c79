"""Leases: who holds an id, until when, and what becomes of it afterwards."""

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import LogCapture

from tests.engine.scene import Scene
from worker.engine.claims import LEASE_MS, NEVER, Claims, Settlement
from worker.engine.outages import REDIS_AWAY
from worker.jobs.ring import Bell, Ring, queue_keys

QUEUE = "work"
KEYS = queue_keys(QUEUE)


@pytest.fixture
def claims(redis: ArqRedis) -> Claims:
    return Claims(redis, QUEUE, "me")


@pytest.fixture
def others(redis: ArqRedis) -> Claims:
    return Claims(redis, QUEUE, "somebody else")


async def rung(redis: ArqRedis, count: int = 1, due_in_ms: float = 0) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    due = 0 if due_in_ms == 0 else time.time() * 1000 + due_in_ms
    await Bell(redis).ring([Ring(i, QUEUE, due) for i in ids])
    return ids


async def test_a_claim_takes_what_is_due_and_no_more_than_asked(
    claims: Claims, redis: ArqRedis
) -> None:
    due = await rung(redis, 3)
    await rung(redis, 1, due_in_ms=60_000)
    first, second = await claims.claim(2), await claims.claim(2)
    assert {c.id for c in first.claims} | {c.id for c in second.claims} == set(due)
    assert (len(first.claims), len(second.claims)) == (2, 1)
    assert first.next_due_ms is not None
    assert first.next_due_ms <= 0
    assert second.next_due_ms is not None
    assert LEASE_MS - 1000 < second.next_due_ms <= LEASE_MS
    assert (await claims.claim(2)).claims == []


async def test_a_claim_of_nothing_says_that_nothing_is_left(claims: Claims) -> None:
    claimed = await claims.claim(5)
    assert (claimed.claims, claimed.next_due_ms) == ([], None)


async def test_what_a_claim_leaves_wakes_another_worker(claims: Claims, redis: ArqRedis) -> None:
    await rung(redis, 2)
    await redis.delete(KEYS.wake)
    await claims.claim(1)
    assert await redis.exists(KEYS.wake) == 1
    await claims.claim(1)
    assert await redis.exists(KEYS.wake) == 0


async def test_only_the_owner_settles(claims: Claims, scene: Scene) -> None:
    [job_id] = await rung(scene.redis)
    [claim] = (await claims.claim(1)).claims
    claims.settle(Settlement(str(job_id), "another token"))
    await claims.drain()
    assert await scene.owner(job_id) == claim.token
    claims.settle(Settlement(str(job_id), claim.token, NEVER))
    await claims.drain()
    assert await scene.owner(job_id) is None
    assert await scene.score(job_id) is None


async def test_a_settled_id_is_due_again_after_its_delay(claims: Claims, scene: Scene) -> None:
    [job_id] = await rung(scene.redis)
    [claim] = (await claims.claim(1)).claims
    claims.settle(Settlement(str(job_id), claim.token, 30_000))
    await claims.drain()
    assert await scene.owner(job_id) is None
    claimed = await claims.claim(1)
    assert claimed.claims == []
    assert claimed.next_due_ms is not None
    assert 29_000 < claimed.next_due_ms <= 30_000


async def test_an_id_given_back_at_once_wakes_somebody(claims: Claims, scene: Scene) -> None:
    [job_id] = await rung(scene.redis)
    [claim] = (await claims.claim(1)).claims
    assert await scene.redis.exists(KEYS.wake) == 0
    claims.settle(Settlement(str(job_id), claim.token, 0))
    await claims.drain()
    assert await scene.redis.exists(KEYS.wake) == 1
    assert [c.id for c in (await claims.claim(1)).claims] == [job_id]


async def test_a_lease_that_lapsed_belongs_to_the_next(
    claims: Claims, others: Claims, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    [job_id] = await rung(scene.redis)
    with monkeypatch.context() as patch:
        patch.setattr("worker.engine.claims.LEASE_MS", 0)
        [mine] = (await claims.claim(1)).claims
    [theirs] = (await others.claim(1)).claims
    assert await claims.renew({job_id: mine.token}) == [job_id]
    claims.settle(Settlement(str(job_id), mine.token))
    await claims.drain()
    assert await scene.owner(job_id) == theirs.token


async def test_a_renewal_extends_the_lease_and_takes_it_again_after_a_flush(
    claims: Claims, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    [job_id] = await rung(scene.redis)
    with monkeypatch.context() as patch:
        patch.setattr("worker.engine.claims.LEASE_MS", 5000)
        [claim] = (await claims.claim(1)).claims
    before = await scene.score(job_id)
    assert await claims.renew({job_id: claim.token}) == []
    after = await scene.score(job_id)
    assert before is not None
    assert after is not None
    assert after - before > 5000
    await scene.redis.flushdb()
    assert await claims.renew({job_id: claim.token}) == []
    assert await scene.owner(job_id) == claim.token
    assert await scene.score(job_id) is not None


async def test_a_renewal_of_very_many(claims: Claims, redis: ArqRedis) -> None:
    ids = await rung(redis, 2500)
    tokens: dict[UUID, str] = {}
    while len(tokens) < len(ids):
        tokens |= {c.id: c.token for c in (await claims.claim(5000)).claims}
    assert await claims.renew(tokens) == []


async def test_who_had_a_turn_already_does_not_wait_behind_the_others(
    claims: Claims, others: Claims, redis: ArqRedis
) -> None:
    """Neither when the lease lapses nor when a worker that stops gives it back."""
    ids = await rung(redis, 2)
    [lapsing, stopping] = (await claims.claim(2)).claims
    assert {lapsing.id, stopping.id} == set(ids)
    await rung(redis, 3, due_in_ms=-5000)
    await redis.zadd(KEYS.times, {str(lapsing.id): time.time() * 1000 - 1000})
    assert [c.id for c in (await others.claim(1)).claims] == [lapsing.id]
    claims.settle(Settlement(str(stopping.id), stopping.token, 0))
    await claims.drain()
    assert [c.id for c in (await others.claim(1)).claims] == [stopping.id]


async def test_a_claim_whose_answer_was_lost_is_given_back(
    claims: Claims, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    [job_id] = await rung(scene.redis)
    script = claims._claim

    async def answer_lost(**arguments: Any) -> None:
        await script(**arguments)
        raise RedisConnectionError("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(claims, "_claim", answer_lost)
        with pytest.raises(RedisConnectionError):
            await claims.claim(1)
    assert await scene.owner(job_id) == "me:1"
    [claim] = (await claims.claim(1)).claims
    assert (claim.id, claim.token) == (job_id, "me:2")


async def test_garbage_is_thrown_out_once(claims: Claims, scene: Scene, log: LogCapture) -> None:
    [good] = await rung(scene.redis)
    bad = [b"", b"\xff\x00", b"no id", str(uuid4()).upper().encode(), uuid4().hex.encode()]
    await scene.redis.zadd(KEYS.times, dict.fromkeys(bad, 1.0))
    claimed = await claims.claim(10)
    assert [c.id for c in claimed.claims] == [good]
    assert [e["event"] for e in log.entries] == ["claim.quarantined"] * len(bad)
    assert await scene.redis.zrange(KEYS.times, 0, -1) == [str(good).encode()]
    for key in (KEYS.owners, KEYS.jobs):
        assert await scene.redis.execute_command("HLEN", key) == 1  # type: ignore[no-untyped-call]


async def test_without_redis_a_claim_raises_and_a_settlement_waits_for_its_lease_to_lapse(
    nowhere: ArqRedis, log: LogCapture
) -> None:
    claims = Claims(nowhere, QUEUE, "me")
    with pytest.raises(REDIS_AWAY):
        await claims.claim(1)
    claims.settle(Settlement(str(uuid4()), "token"))
    await claims.drain()
    assert [e["event"] for e in log.entries] == ["settle.failed"]
