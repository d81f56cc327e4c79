"""Who goes next: tenants in turn, keys and organisations within their limits, starts at a rate."""

import random
from collections import Counter
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from arq.connections import ArqRedis

from tests.support import eventually
from worker.engine.claims import Claims, Limits, Settlement
from worker.jobs.ids import new_id
from worker.jobs.queues import Rate
from worker.jobs.ring import Bell, Ring, queue_keys

QUEUE = "work"
KEYS = queue_keys(QUEUE)


class Turns:
    """A queue whose jobs are claimed one after the other, and settled by hand."""

    def __init__(self, redis: ArqRedis, **limits: Any) -> None:
        self.redis = redis
        self.bell = Bell(redis)
        self.claims = Claims(redis, QUEUE, "me", Limits(**limits))
        self.names: dict[UUID, str] = {}
        self.tokens: dict[UUID, str] = {}
        self._numbers = count(1)

    async def ring(self, name: str, jobs: int = 1, **fields: Any) -> list[UUID]:
        """Ring so many jobs; the name stands for them in what `take` answers."""
        rings = [Ring(new_id(), QUEUE, **fields) for _ in range(jobs)]
        self.names |= {r.id: name for r in rings}
        for start in range(0, jobs, 1000):
            await self.bell.ring(rings[start : start + 1000])
        return [r.id for r in rings]

    async def take(self, slots: int = 1) -> list[str]:
        """Claim, and tell whose jobs came."""
        claimed = await self.claims.claim(slots)
        self.tokens |= {c.id: c.token for c in claimed.claims}
        return [self.names[c.id] for c in claimed.claims]

    async def end(self, name: str | None = None, delay_ms: int = -1) -> None:
        """Settle what was claimed: all, or all of that name."""
        for job_id in [i for i in self.tokens if name in (None, self.names[i])]:
            self.claims.settle(Settlement(str(job_id), self.tokens.pop(job_id), delay_ms))
        await self.claims.drain()

    async def drain(self, slots: int = 10) -> Counter[str]:
        """Claim and end until nothing comes."""
        taken: Counter[str] = Counter()
        while names := await self.take(slots):
            taken.update(names)
            await self.end()
        return taken

    async def left(self) -> list[str]:
        """The keys of the queue that are there though nothing is waiting or running."""
        kept = (KEYS.wake, f"{KEYS.times}:passes", f"{KEYS.times}:starts")
        names = [k.decode() async for k in self.redis.scan_iter(f"{KEYS.times}*")]
        return [n for n in names if n not in kept]


@pytest.fixture
def turns(redis: ArqRedis) -> Turns:
    return Turns(redis)


async def test_a_tenants_backlog_does_not_hold_up_another_tenants_first_job(turns: Turns) -> None:
    await turns.ring("many", 10_000, tenant="many")
    for _ in range(3):
        assert await turns.take(5) == ["many"] * 5
        await turns.end()
    await turns.ring("one", tenant="one")
    assert "one" in await turns.take(2)


async def test_tenants_with_backlogs_take_turns(turns: Turns) -> None:
    await turns.ring("a", 50, tenant="a")
    await turns.take(10)
    await turns.ring("b", 50, tenant="b")
    await turns.ring("c", 50, tenant="c")
    taken: Counter[str] = Counter()
    for _ in range(30):
        taken.update(await turns.take(1))
    assert set(taken.values()) == {10}


async def test_who_always_comes_back_at_once_does_not_starve_the_others(turns: Turns) -> None:
    await turns.ring("backlog", 20, tenant="backlog")
    await turns.ring("busy", tenant="busy", priority=10)
    taken: list[str] = []
    for _ in range(60):
        [name] = await turns.take(1)
        taken.append(name)
        if name == "busy":
            await turns.ring("busy", tenant="busy", priority=10)
        await turns.end()
        if taken.count("backlog") == 20:
            break
    # Its priority was worth ten turns, once; from then on they alternate.
    assert taken.count("backlog") == 20
    assert taken.count("busy") <= 20 + 10 + 1


async def test_between_tenants_priority_goes_first_once(turns: Turns) -> None:
    for tenant in ("a", "b", "c"):
        await turns.ring(tenant, 5, tenant=tenant)
    await turns.take(3)
    await turns.ring("urgent", tenant="z", priority=10)
    assert await turns.take(1) == ["urgent"]


async def test_within_a_tenant_priority_goes_first(turns: Turns) -> None:
    await turns.ring("low", 3, tenant="a")
    await turns.ring("high", tenant="a", priority=10)
    assert await turns.take(2) == ["high", "low"]


async def test_a_key_runs_no_more_than_its_limit_and_holds_nobody_else_back(
    redis: ArqRedis,
) -> None:
    turns = Turns(redis, per_key=1)
    await turns.ring("k", 5000, key="k", tenant="t")
    await turns.ring("other", key="other", tenant="t")
    assert sorted(await turns.take(10) + await turns.take(10) + await turns.take(10)) == [
        "k", "other",
    ]  # fmt: skip
    await turns.ring("k", key="k", tenant="u")
    assert await turns.take(10) == []
    await turns.end("k")
    assert await turns.take(10) == ["k"]
    await turns.ring("free", tenant="t")
    assert await turns.take(10) == ["free"]


async def test_a_retry_and_a_release_give_the_keys_place_to_the_next(redis: ArqRedis) -> None:
    for delay_ms in (60_000, 0, -1):
        await redis.flushdb()
        turns = Turns(redis, per_key=1)
        await turns.ring("k", 2, key="k")
        [_] = await turns.take(5)
        assert await turns.take(5) == []
        await turns.end(delay_ms=delay_ms)
        assert await turns.take(5) == ["k"]


async def test_a_dead_workers_place_is_free_when_its_lease_lapses(
    redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(redis, per_key=1, per_organisation=1)
    await turns.ring("k", 3, key="k", tenant="t")
    with monkeypatch.context() as patch:
        patch.setattr("worker.engine.claims.LEASE_MS", 50)
        assert await turns.take(5) == ["k"]
        assert await turns.take(5) == []
    turns.tokens.clear()
    again: list[str] = await eventually(lambda: turns.take(5))
    assert again == ["k"]
    assert await turns.take(5) == []
    await turns.end()
    assert await turns.drain() == Counter(k=2)
    assert await turns.left() == []


async def test_a_lost_claim_gives_its_places_back(redis: ArqRedis) -> None:
    turns = Turns(redis, per_key=1, per_organisation=1)
    await turns.ring("k", 2, key="k", tenant="t")
    assert await turns.take(5) == ["k"]
    turns.claims._unanswered.add(turns.tokens.popitem()[1])
    assert await turns.take(5) == ["k"]
    await turns.end()
    assert await turns.drain() == Counter(k=1)


async def test_an_organisation_runs_no_more_than_its_limit_on_any_queue(redis: ArqRedis) -> None:
    turns = Turns(redis, per_organisation=2)
    await turns.ring("a", 10, tenant="a")
    await turns.ring("b", 3, tenant="b")
    await turns.ring("nobody", 2)
    assert Counter(await turns.take(20)) == Counter(a=2, b=2, nobody=2)
    assert await turns.take(20) == []
    await turns.end("a")
    assert await turns.take(20) == ["a", "a"]
    await turns.end()
    assert await turns.drain(20) == Counter(a=6, b=1)
    assert await turns.left() == []


async def test_limits_may_change_while_jobs_wait(redis: ArqRedis) -> None:
    turns = Turns(redis, per_key=1, per_organisation=1)
    await turns.ring("k", 6, key="k", tenant="t")
    assert await turns.take(10) == ["k"]
    assert await turns.take(10) == []
    turns.claims.limits = Limits(per_key=3, per_organisation=3)
    await turns.end()
    assert await turns.take(10) == ["k"] * 3
    turns.claims.limits = Limits()
    await turns.end()
    assert await turns.take(10) == ["k"] * 2
    await turns.end()
    assert await turns.left() == []


async def test_a_flush_forgets_no_running_jobs_place(redis: ArqRedis) -> None:
    turns = Turns(redis, per_key=1, per_organisation=1)
    [job_id] = await turns.ring("k", key="k", tenant="t")
    assert await turns.take(5) == ["k"]
    await redis.flushdb()
    assert await turns.claims.renew({job_id: turns.tokens[job_id]}) == []
    await turns.ring("same key", key="k", tenant="u")
    await turns.ring("same organisation", tenant="t")
    assert await turns.take(5) == []
    await turns.end()
    assert sorted(await turns.take(5)) == ["same key", "same organisation"]


async def test_starts_keep_to_their_rate_over_all_workers(redis: ArqRedis) -> None:
    turns, others = (Turns(redis, rate=Rate(10, 3600.0)) for _ in range(2))
    await turns.ring("a", 30, tenant="a")
    others.names = turns.names
    assert len(await turns.take(6)) == 6
    assert len(await others.take(6)) == 4
    claimed = await turns.claims.claim(6)
    assert claimed.claims == []
    assert claimed.next_due_ms is not None
    assert 3_590_000 < claimed.next_due_ms <= 3_600_000
    await turns.end()
    assert await turns.take(6) == []


async def test_a_start_counts_for_its_period_and_no_longer(redis: ArqRedis) -> None:
    turns = Turns(redis, rate=Rate(2, 0.05))
    await turns.ring("a", 4)
    assert await turns.take(4) == ["a"] * 2
    taken: list[str] = []
    while len(taken) < 2:
        taken += await turns.take(4)
    first, *_, last = [
        float(t)
        for t in await redis.lrange(f"{KEYS.times}:starts", 0, -1)  # type: ignore[misc]
    ]
    assert first >= last
    assert len(taken) == 2


async def test_a_job_that_ended_while_it_waited_is_forgotten(redis: ArqRedis) -> None:
    turns = Turns(redis, per_key=1)
    [held] = await turns.ring("k", key="k", tenant="t")
    await turns.take(1)
    waiting = await turns.ring("k", 2, key="k", tenant="t")
    assert await turns.take(5) == []
    later = await turns.ring("later", run_at_ms=9e12)
    ready = await turns.ring("ready", tenant="u")
    assert await turns.bell.forget(QUEUE, [held, *waiting, *later, *ready, new_id()]) == 4
    await turns.end()
    assert await turns.take(5) == []
    assert await turns.left() == []


async def test_random_work_leaves_nothing_behind_and_nobody_out(redis: ArqRedis) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        turns = Turns(redis, per_key=chance.choice([None, 1, 2]),
                      per_organisation=chance.choice([None, 1, 3]))  # fmt: skip
        rung = 0
        ended: Counter[UUID] = Counter()
        for _ in range(60):
            if chance.random() < 0.5:
                jobs = chance.randint(1, 5)
                rung += jobs
                await turns.ring("x", jobs, tenant=chance.choice(["", "t", "u", "v|w"]),
                                 key=chance.choice(["", "k", "l"]),
                                 priority=chance.choice([0, 0, 5]))  # fmt: skip
            await turns.take(chance.randint(1, 6))
            for job_id in chance.sample([*turns.tokens], chance.randint(0, len(turns.tokens))):
                delay = chance.choice([-1, -1, 0, 1])
                ended[job_id] += delay < 0
                turns.claims.settle(Settlement(str(job_id), turns.tokens.pop(job_id), delay))
            await turns.claims.drain()
        while True:
            await turns.take(10)
            if not turns.tokens and not await redis.exists(KEYS.times):
                break
            ended.update(turns.tokens.keys())
            await turns.end()
        assert sum(ended.values()) == rung, f"seed {seed}"
        assert await turns.left() == [], f"seed {seed}"
