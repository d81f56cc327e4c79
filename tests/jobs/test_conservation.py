"""The census: whatever is broken by hand is named, and nothing else."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from tests.jobs.records import placed, row
from worker.database.pool import Pool
from worker.engine.claims import Claims, Limits, Settlement
from worker.jobs import conservation as module
from worker.jobs import offences, upkeep
from worker.jobs.conservation import Conservation
from worker.jobs.deliveries import Arrival, Deliveries
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import JobResult, NewJob, StartedJob
from worker.jobs.offences import Census
from worker.jobs.ring import Bell, Ring, queue_keys
from worker.jobs.states import State
from worker.redis_pool import connect_redis

QUEUE = "artifact-scan"
WORKER = "host:1:ab"
KINDS = ["artifact_scan"]
TIMES = queue_keys(QUEUE).times
JOBS = queue_keys(QUEUE).jobs
OLD = "UPDATE jobs SET run_at = now() - interval '1 minute' WHERE id = $1"


class Books:
    """A record and a Redis that agree, until something is broken by hand."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self.pool: Pool = pool
        self.redis: Any = redis
        self.ledger, self.bell = Ledger(pool), Bell(redis)
        self.claims = Claims(redis, QUEUE, WORKER)
        self.deliveries = Deliveries(pool)
        self.conservation = Conservation(pool, redis)
        self.paused: list[float] = []

    async def census(self, limit: int = 100) -> Census:
        """Take it, without the time between two looks."""
        return await self.conservation.census(limit, pause=self.pause)

    async def pause(self, seconds: float) -> None:
        """Nothing happens meanwhile."""
        self.paused.append(seconds)

    async def found(self) -> list[tuple[str, str]]:
        """What is not accounted for: kind and id."""
        census = await self.census()
        assert census.problem == ""
        assert census.clean is (not census.offenders)
        assert sum(census.counts.values()) == len(census.offenders)
        return [(o.kind, o.id) for o in census.offenders]

    async def add(self, *, ring: bool = True, **fields: Any) -> UUID:
        """A job that has been due for long."""
        job = NewJob(QUEUE, "artifact_scan", {}, 3, **fields)
        await self.ledger.add([job])
        if ring:
            await self.bell.ring([Ring.of(job)])
        await self.pool.execute(OLD, job.id)
        return job.id

    async def deliver(self, name: str, *jobs: NewJob, **fields: Any) -> None:
        """A delivery with its jobs."""
        arrival = Arrival(name, "push", b"{}", {}, jobs=jobs, **fields)
        [acceptance] = await self.deliveries.accept([arrival])
        await self.bell.ring(acceptance.to_ring)

    async def run(self, jobs: int = 1, *, alive: bool = True) -> list[StartedJob]:
        """A worker has been running so many jobs for long."""
        if alive:
            await self.pool.execute(
                "INSERT INTO workers (id, host, pid, queues) VALUES ($1, 'h', 1, $2)"
                " ON CONFLICT DO NOTHING",
                WORKER, [QUEUE],
            )  # fmt: skip
        claimed = await self.claims.claim(jobs)
        started = await self.ledger.start(claimed.claims, WORKER, KINDS)
        await self.pool.execute("UPDATE jobs SET started_at = now() - interval '1 minute'")
        return [job for job in started if isinstance(job, StartedJob)]

    async def lose(self, job_id: UUID, *, of: Sequence[str] = ("", ":ready:")) -> None:
        """Redis forgets an id, but for what it keeps beside it."""
        for key in of:
            await self.redis.zrem(f"{TIMES}{key}", str(job_id))


@pytest.fixture
def books(pool: Pool, redis: Redis) -> Books:
    return Books(pool, redis)


def scan(**fields: Any) -> NewJob:
    """A job of a delivery."""
    return NewJob(QUEUE, "artifact_scan", {}, 3, **fields)


async def test_nothing_is_wrong_with_nothing(books: Books) -> None:
    census = await books.census()
    assert (census.clean, census.offenders, census.counts) == (True, [], {})
    assert (census.deliveries, census.jobs, census.ids) == (0, 0, 0)


async def test_every_lawful_place_of_a_job_is_accounted_for(books: Books, pool: Pool) -> None:
    await books.add()
    [running] = await books.run()
    books.claims.limits = Limits(per_key=1)
    for _ in range(3):
        await books.add(concurrency_key="k")
    await books.run(5)
    ready, unrung = await books.add(org_id="acme"), await books.add(ring=False)
    # Not rung yet, and nothing of it is late: it is due for a moment, or only later.
    await pool.execute(
        "UPDATE jobs SET run_at = now() - interval '5 seconds' WHERE id = $1", unrung
    )
    later = await books.add(ring=False)
    await pool.execute("UPDATE jobs SET run_at = now() + interval '1 hour' WHERE id = $1", later)
    await placed(pool, State.COMPLETED)
    [claim] = (await books.claims.claim(1)).claims
    books.claims.settle(Settlement(str(claim.id), claim.token, 5000))
    await books.claims.drain()
    assert claim.id == ready
    census = await books.census()
    assert census.clean, census.offenders
    assert (census.jobs, census.ids) == (5, 5)
    assert not books.paused, "without suspects there is no second look"
    assert (await row(pool, running.id))["state"] == "running"


async def test_a_job_that_redis_does_not_know_is_named(books: Books, pool: Pool) -> None:
    job_id = await books.add(ring=False)
    census = await books.census()
    [offender] = census.offenders
    assert (offender.kind, offender.id, offender.queue) == ("job_not_in_redis", str(job_id), QUEUE)
    assert offender.since == (await row(pool, job_id))["run_at"]
    assert offender.message == "it is queued, and in Redis unknown"
    assert offender.remedy
    assert (census.clean, census.counts) == (False, {"job_not_in_redis": 1})
    assert books.paused == [module.LOOK_AGAIN_SECONDS]


async def test_a_job_that_was_taken_out_of_redis_is_named(books: Books) -> None:
    job_id = await books.add()
    await books.redis.hdel(JOBS, str(job_id))
    await books.lose(job_id)
    assert await books.found() == [("job_not_in_redis", str(job_id))]


async def test_a_job_where_no_worker_looks_is_named(books: Books) -> None:
    job_id = await books.add(org_id="acme")
    await books.redis.delete(f"{TIMES}:tenants")
    assert await books.found() == [("job_misplaced", str(job_id))]
    await books.redis.delete(f"{TIMES}:ready:acme")
    assert await books.found() == [("job_misplaced", str(job_id))]


async def test_a_job_that_redis_has_due_much_later_is_named(books: Books, pool: Pool) -> None:
    job_id = await books.add(run_at=None)
    [claim] = (await books.claims.claim(1)).claims
    books.claims.settle(Settlement(str(claim.id), claim.token, 3_600_000))
    await books.claims.drain()
    assert await books.found() == [("job_misplaced", str(job_id))]


async def test_a_running_job_without_lease_is_named(books: Books, pool: Pool) -> None:
    await books.add()
    [job] = await books.run()
    assert await books.found() == []
    await books.lose(job.id)
    assert await books.found() == [("job_misplaced", str(job.id))]
    for key in (JOBS, f"{TIMES}:owners"):
        await books.redis.hdel(key, str(job.id))
    assert await books.found() == [("job_without_lease", str(job.id))]
    # Fallen silent a moment ago, its worker has the time that the reconciler needs to notice.
    await pool.execute("UPDATE workers SET last_seen = now() - interval '20 seconds'")
    assert await books.found() == []
    await pool.execute("UPDATE workers SET last_seen = now() - interval '31 seconds'")
    assert await books.found() == [("job_without_lease", str(job.id))]


async def test_a_lapsed_lease_is_enough_as_somebody_will_take_it_over(books: Books) -> None:
    await books.add()
    [job] = await books.run(alive=False)
    await books.redis.zadd(TIMES, {str(job.id): 1})
    assert await books.found() == []


async def test_a_job_that_has_just_started_is_left_alone(books: Books, pool: Pool) -> None:
    await books.add()
    [job] = await books.run()
    await pool.execute("UPDATE jobs SET started_at = now()")
    await books.redis.flushdb()
    assert await books.found() == []
    assert (await row(pool, job.id))["state"] == "running"


async def test_what_mends_itself_between_two_looks_is_no_offence(books: Books) -> None:
    async def rung_meanwhile(_: float) -> None:
        await books.bell.ring([Ring(unrung, QUEUE)])
        [claim] = (await books.claims.claim(1)).claims
        await books.ledger.start([claim], WORKER, KINDS)

    unrung = await books.add(ring=False)
    assert (await books.conservation.census(pause=rung_meanwhile)).clean


async def test_a_job_that_went_on_between_two_looks_is_no_offence(books: Books, pool: Pool) -> None:
    """Lost at both looks, but as two attempts, each of them for a moment."""
    await books.add()
    [job] = await books.run()
    await books.redis.flushdb()

    async def run_again(_: float) -> None:
        await pool.execute("UPDATE jobs SET attempt = attempt + 1")

    assert (await books.conservation.census(pause=run_again)).clean
    assert await books.found() == [("job_without_lease", str(job.id))]


async def test_an_id_whose_job_has_ended_is_named(books: Books, pool: Pool) -> None:
    await books.add()
    [job] = await books.run()
    await books.ledger.complete(job, JobResult(True, "done"), ())
    assert await books.found() == [], "its settling may be on the way"
    await pool.execute("UPDATE jobs SET finished_at = now() - interval '1 minute'")
    census = await books.census()
    [offender] = census.offenders
    assert (offender.kind, offender.id, offender.queue) == ("id_without_job", str(job.id), QUEUE)
    assert offender.message == "its job is completed"
    assert offender.since == (await row(pool, job.id))["finished_at"]


async def test_an_id_that_no_job_has_is_named(books: Books) -> None:
    job_id = new_id()
    await books.bell.ring([Ring(job_id, QUEUE)])
    assert await books.found() == [("id_without_job", str(job_id))]

    async def taken_out(_: float) -> None:
        assert await books.bell.forget(QUEUE, [job_id]) == 1

    assert (await books.conservation.census(pause=taken_out)).clean


async def test_an_id_that_is_kept_nowhere_is_named(books: Books) -> None:
    job_id = str(new_id())
    await books.redis.hset(JOBS, job_id, "")
    await books.redis.hset(JOBS, "no id at all", "")
    assert await books.found() == [("id_without_job", job_id)]


async def test_a_queue_that_is_in_no_table_is_looked_at(books: Books, pool: Pool) -> None:
    job_id = await books.add(ring=False)
    stray = new_id()
    await pool.execute("UPDATE jobs SET queue = 'former'")
    await books.bell.ring([Ring(stray, "former")])
    assert sorted(await books.found()) == [
        ("id_without_job", str(stray)), ("job_not_in_redis", str(job_id)),
    ]  # fmt: skip


async def test_a_delivery_whose_job_is_gone_is_named(books: Books, pool: Pool) -> None:
    kept, lost = scan(delivery_id="d-1"), scan(delivery_id="d-1")
    await books.deliver("d-1", kept, lost)
    await books.deliver("d-2", scan(delivery_id="d-2"))
    assert await books.found() == []
    await pool.execute("DELETE FROM jobs WHERE id = $1", lost.id)
    await books.bell.forget(QUEUE, [lost.id])
    [offender] = (await books.census()).offenders
    assert (offender.kind, offender.id) == ("delivery_without_jobs", "d-1")
    assert str(lost.id) in offender.message
    assert str(kept.id) not in offender.message
    received = await pool.fetchval("SELECT received_at FROM webhook_events LIMIT 1")
    assert offender.since == received


async def test_a_delivery_without_jobs_is_named_unless_it_was_ignored(books: Books) -> None:
    await books.deliver("ignored", ignored_reason="ping")
    await books.deliver("forgotten")
    assert await books.found() == [("delivery_without_jobs", "forgotten")]


@pytest.mark.parametrize("done", ["closed_at = now()", "processed = true, processed_at = now()"])
async def test_a_delivery_that_is_done_with_needs_no_jobs(
    books: Books, pool: Pool, done: str
) -> None:
    await books.deliver("d-1", scan(delivery_id="d-1"))
    await books.claims.claim(1)
    await pool.execute("DELETE FROM jobs")
    await books.redis.flushdb()
    assert await books.found() == [("delivery_without_jobs", "d-1")]
    await pool.execute(f"UPDATE webhook_events SET {done}")
    assert await books.found() == []


async def test_pruning_leaves_every_delivery_accounted_for(books: Books, pool: Pool) -> None:
    for name in ("completed", "dead"):
        await books.deliver(name, scan(delivery_id=name))
    first, second = await books.run(2)
    await books.ledger.complete(first, JobResult(True, "done"), ())
    await books.ledger.bury(second, Failure("failed", "E", "no"), ())
    for job in (first, second):
        books.claims.settle(Settlement(str(job.id), job.token))
    await books.claims.drain()
    await pool.execute("UPDATE jobs SET finished_at = now() - interval '1 day'")
    for states in (["completed"], ["dead"]):
        await pool.execute(upkeep.SQL.prune, QUEUE, states, 100, 60.0)
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 0
    assert await books.found() == []
    closed = "SELECT delivery_id FROM webhook_events WHERE closed_at IS NOT NULL"
    assert [r["delivery_id"] for r in await pool.fetch(closed)] == ["dead"]


async def test_many_are_counted_and_the_first_are_named(
    books: Books, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    lost = sorted([str(await books.add(ring=False)) for _ in range(10)])
    for n in range(8):
        await books.deliver(f"d-{n}")
    await books.bell.ring([Ring(new_id(), QUEUE) for _ in range(7)])
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    census = await books.conservation.census(12, rest=rest, pause=books.pause)
    assert census.counts == {
        "delivery_without_jobs": 8, "job_not_in_redis": 10, "id_without_job": 7,
    }  # fmt: skip
    assert (census.deliveries, census.jobs, census.ids) == (8, 10, 7)
    assert [o.id for o in census.offenders[8:]] == lost[:4]
    assert len(rests) > 5
    assert all(0 < seconds < 5 for seconds in rests)


async def test_too_many_suspects_end_the_search(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(offences, "MOST_SUSPECTS", 4)
    for _ in range(8):
        await books.add(ring=False)
    census = await books.census()
    assert census.counts == {"job_not_in_redis": 4}
    assert "more than 4 suspects" in census.problem
    assert not census.clean


async def test_without_redis_the_deliveries_are_looked_at(books: Books, pool: Pool) -> None:
    nowhere = connect_redis("redis://127.0.0.1:1/0")
    await books.deliver("forgotten")
    await books.add(ring=False)
    census = await Conservation(pool, nowhere).census()
    await nowhere.aclose()
    assert census.counts == {"delivery_without_jobs": 1}
    assert census.problem.startswith("Redis cannot be asked")
    await pool.execute("DELETE FROM webhook_events")
    assert not census.clean


async def test_forgetting_mends_what_no_worker_would_find(books: Books, pool: Pool) -> None:
    """A lease whose times were lost would keep its id from being rung for ever."""
    books.claims.limits = Limits(per_key=1)
    await books.add(concurrency_key="k")
    [job] = await books.run()
    waiting = await books.add(concurrency_key="k")
    assert await books.run() == []
    await books.redis.delete(TIMES)
    assert await books.found() == [("job_misplaced", str(job.id))]
    assert await books.bell.forget(QUEUE, [job.id]) == 1
    assert await books.found() == [("job_without_lease", str(job.id))]
    assert await books.bell.ring([Ring(job.id, QUEUE, key="k")]) == 1
    assert await books.found() == []
    assert [c.id for c in (await books.claims.claim(2)).claims] == [waiting]
