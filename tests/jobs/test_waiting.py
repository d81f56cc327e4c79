"""Why a job waits: each reason is named when it holds, and only then, the most decisive first."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from worker.database.pool import Pool
from worker.engine.claims import Claims, Limits, Settlement
from worker.errors import NotFound
from worker.jobs.cancelling import Cancelling
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob, StartedJob
from worker.jobs.queue_controls import QueueControls
from worker.jobs.queues import Queue, Rate
from worker.jobs.reasons import Reason
from worker.jobs.ring import Bell, Ring, queue_keys
from worker.jobs.states import State
from worker.jobs.waiting import Waiting, Why
from worker.redis_pool import connect_redis

WORKER = "host:1:ab"
KINDS = ["artifact_scan"]
TIMES = queue_keys("work").times


class Place:
    """A queue with jobs in the record and in Redis, and a worker that may serve it."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self.pool, self.redis = pool, redis
        self.ledger, self.bell = Ledger(pool), Bell(redis)
        self.claims = Claims(redis, "work", WORKER)
        self.limited()

    def limited(self, **limits: Any) -> None:
        """The queue has these limits."""
        policy = Queue("work", tuple(KINDS), concurrency=2, **limits)
        self.controls = QueueControls(self.pool, self.redis, {"work": policy})
        self.waiting = Waiting(self.pool, self.redis, self.controls)
        self.claims.limits = Limits.of(policy)

    async def serve(self, worker: str = WORKER, kinds: list[str] | None = KINDS) -> None:
        """A worker lives."""
        await self.pool.execute(
            "INSERT INTO workers (id, host, pid, queues, kinds) VALUES ($1, 'h', 1, '{work}', $2)",
            worker, kinds,
        )  # fmt: skip

    async def add(self, *, ring: bool = True, **fields: Any) -> UUID:
        """A new job."""
        job = NewJob("work", "artifact_scan", {}, 3, **fields)
        await self.ledger.add([job])
        if ring:
            await self.bell.ring([Ring.of(job)])
        return job.id

    async def run(self, jobs: int = 1) -> list[StartedJob]:
        """The worker claims and starts so many."""
        claimed = await self.claims.claim(jobs)
        started = await self.ledger.start(claimed.claims, WORKER, KINDS)
        return [job for job in started if isinstance(job, StartedJob)]

    async def why(self, job_id: UUID) -> Why:
        """What is answered of a job."""
        return await self.waiting.why(job_id)

    async def codes(self, job_id: UUID) -> list[str]:
        """The codes of the reasons."""
        return [reason.code for reason in (await self.why(job_id)).reasons]

    async def only(self, job_id: UUID, code: str) -> Reason:
        """The one reason, of this code."""
        [reason] = (await self.why(job_id)).reasons
        assert reason.code == code, reason
        return reason


@pytest.fixture
async def place(pool: Pool, redis: Redis) -> Place:
    return Place(pool, redis)


async def test_an_unknown_job_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound):
        await place.why(new_id())


async def test_a_job_that_nothing_holds_is_next(place: Place) -> None:
    await place.serve()
    job_id = await place.add()
    why = await place.why(job_id)
    assert (why.job_id, why.state, why.waiting) == (job_id, State.QUEUED, True)
    reason = await place.only(job_id, "next")
    assert (reason.ahead, reason.tenants_ahead, reason.tenants, reason.free_slots) == (0, 0, 1, 2)


async def test_a_running_job_does_not_wait(place: Place) -> None:
    await place.serve()
    await place.add()
    [job] = await place.run()
    why = await place.why(job.id)
    assert (why.state, why.waiting) == (State.RUNNING, False)
    reason = await place.only(job.id, "running")
    assert (reason.worker, reason.attempt) == (WORKER, 1)
    assert reason.since is not None
    await Cancelling(place.pool, place.redis).cancel(job.id, "not needed")
    assert await place.codes(job.id) == ["running", "cancel_requested"]
    assert (await place.why(job.id)).reasons[1].reason == "not needed"


async def test_an_ended_job_says_how(place: Place) -> None:
    job_id = await place.add()
    await Cancelling(place.pool, place.redis).cancel(job_id, "not needed")
    why = await place.why(job_id)
    assert (why.state, why.waiting) == (State.CANCELLED, False)
    reason = await place.only(job_id, "ended")
    assert "cancelled: not needed" in reason.message
    assert reason.since is not None


async def test_a_job_whose_worker_was_lost_waits_for_another(place: Place) -> None:
    await place.serve()
    await place.add()
    [job] = await place.run()
    await place.pool.execute("UPDATE workers SET last_seen = now() - interval '12 seconds'")
    why = await place.why(job.id)
    assert why.waiting
    # It is leased yet, and nobody lives who could take it over.
    assert [r.code for r in why.reasons] == ["worker_lost", "no_worker", "claimed"]
    assert (why.reasons[0].worker, why.reasons[0].attempt) == (WORKER, 1)
    await place.pool.execute("DELETE FROM workers")
    await place.serve("host:2:cd")
    await place.redis.zadd(TIMES, {str(job.id): 1})
    assert await place.codes(job.id) == ["worker_lost", "next"]


async def test_a_paused_queue_comes_first(place: Place) -> None:
    job_id = await place.add(run_at=datetime.now(UTC) + timedelta(hours=1))
    await place.controls.pause("work", "a migration")
    assert await place.codes(job_id) == ["paused", "no_worker", "not_due"]
    paused = (await place.why(job_id)).reasons[0]
    assert paused.reason == "a migration"
    assert paused.since is not None
    await place.controls.resume("work")
    await place.serve()
    assert await place.codes(job_id) == ["not_due"]


async def test_nothing_is_next_in_a_paused_queue(place: Place) -> None:
    await place.serve()
    job_id = await place.add()
    await place.controls.pause("work")
    await place.only(job_id, "paused")


async def test_a_queue_that_nobody_serves_is_told(place: Place) -> None:
    job_id = await place.add()
    assert await place.codes(job_id) == ["no_worker", "behind"]
    await place.serve()
    await place.pool.execute("UPDATE workers SET last_seen = now() - interval '1 minute'")
    assert (await place.codes(job_id))[0] == "no_worker"


@pytest.mark.parametrize(
    ("kinds", "code"), [(["other"], "no_worker"), (KINDS, "next"), (None, "next")]
)
async def test_a_kind_that_no_worker_knows_is_told(
    place: Place, kinds: list[str] | None, code: str
) -> None:
    await place.serve(kinds=kinds)
    job_id = await place.add()
    assert (await place.codes(job_id))[0] == code


async def test_a_queue_that_is_gone_is_told(place: Place) -> None:
    job_id = await place.add()
    place.waiting = Waiting(place.pool, place.redis, QueueControls(place.pool, place.redis, {}))
    assert (await place.codes(job_id))[0] == "no_worker"


async def test_a_retry_tells_when_and_what_went_wrong(place: Place) -> None:
    await place.serve()
    await place.add()
    [job] = await place.run()
    await place.ledger.retry_later(job, Failure("failed", "ValueError", "no luck"), 90.0, ())
    reason = await place.only(job.id, "not_due")
    assert reason.seconds == pytest.approx(90, abs=2)
    assert reason.until == await place.pool.fetchval("SELECT run_at FROM jobs")
    assert reason.reason == "no luck"
    assert "attempt 1 ended as failed (no luck)" in reason.message


async def test_a_job_that_is_not_in_redis_is_told(place: Place) -> None:
    await place.serve()
    job_id = await place.add(ring=False)
    assert (await place.only(job_id, "not_rung")).seconds == 3.0
    await place.pool.execute("UPDATE jobs SET rung_at = now() - interval '10 seconds'")
    assert (await place.only(job_id, "not_rung")).seconds == pytest.approx(22, abs=2)


async def test_a_job_where_nobody_looks_is_told(place: Place) -> None:
    await place.serve()
    job_id = await place.add()
    await place.redis.delete(f"{TIMES}:tenants")
    assert "stranded" in (await place.only(job_id, "misplaced")).message
    await place.redis.delete(f"{TIMES}:ready:")
    assert "nowhere" in (await place.only(job_id, "misplaced")).message


async def test_a_claimed_job_names_who_starts_it(place: Place) -> None:
    await place.serve()
    job_id = await place.add()
    await place.claims.claim(1)
    assert (await place.only(job_id, "claimed")).worker == WORKER


async def test_a_job_that_was_given_back_tells_for_how_long(place: Place) -> None:
    await place.serve()
    job_id = await place.add()
    [claim] = (await place.claims.claim(1)).claims
    place.claims.settle(Settlement(str(claim.id), claim.token, 5000))
    await place.claims.drain()
    assert (await place.only(job_id, "given_back")).seconds == pytest.approx(5, abs=1)


async def test_a_rate_tells_its_next_slot(place: Place) -> None:
    place.limited(rate=Rate(2, 60))
    await place.serve()
    for _ in range(2):
        await place.add()
    job_id = await place.add()
    await place.run(1)
    assert await place.codes(job_id) == ["behind"]
    await place.run(1)
    reason = (await place.why(job_id)).reasons[0]
    assert (reason.code, reason.limit, reason.per_seconds) == ("rate_limited", 2, 60)
    assert reason.seconds == pytest.approx(60, abs=2)
    # Raised at run time, the limit leaves room at once; lowered, more starts have to grow old.
    await place.controls.resize("work", rate=Rate(3, 60))
    assert "rate_limited" not in await place.codes(job_id)
    await place.controls.resize("work", rate=Rate(1, 60))
    assert "rate_limited" in await place.codes(job_id)


async def test_a_key_tells_who_holds_it(place: Place) -> None:
    place.limited(per_key=1)
    await place.serve()
    await place.add(concurrency_key="k")
    [holder] = await place.run()
    second, third = [await place.add(concurrency_key="k") for _ in range(2)]
    # First in the line as usual, then put aside by a claim that found no place for them.
    assert await place.codes(second) == ["key_limited"]
    assert await place.codes(third) == ["key_limited", "behind"]
    assert await place.run(2) == []
    for waits, ahead in ((second, 0), (third, 1)):
        reason = await place.only(waits, "key_limited")
        assert (reason.key, reason.limit, reason.ahead) == ("k", 1, ahead)
        assert reason.holders is not None
        [held] = reason.holders
        assert (held.job_id, held.worker) == (holder.id, WORKER)
        assert held.since is not None
    assert await place.codes(await place.add(concurrency_key="free")) == ["next"]


async def test_an_organisation_tells_who_holds_its_places(place: Place) -> None:
    place.limited(per_organisation=1)
    await place.serve()
    await place.add(org_id="acme")
    job_id = await place.add(org_id="acme")
    [holder] = await place.run(2)
    reason = (await place.why(job_id)).reasons[0]
    assert (reason.code, reason.organisation, reason.limit) == ("organisation_limited", "acme", 1)
    assert reason.holders is not None
    assert [h.job_id for h in reason.holders] == [holder.id]
    assert "organisation_limited" not in await place.codes(await place.add(org_id="other"))


async def test_a_line_tells_who_is_before(place: Place) -> None:
    await place.serve()
    for org in ("acme", "acme", "other"):
        await place.add(org_id=org)
    job_id = await place.add(org_id="other")
    reason = await place.only(job_id, "behind")
    assert (reason.ahead, reason.tenants, reason.free_slots) == (1, 2, 2)
    urgent = await place.add(org_id="other", priority=10)
    assert (await place.only(urgent, "next")).ahead == 0
    assert (await place.only(job_id, "behind")).ahead == 2
    await place.run(2)
    assert (await place.only(job_id, "behind")).free_slots == 0


async def test_without_redis_the_record_still_answers(place: Place) -> None:
    nowhere = connect_redis("redis://127.0.0.1:1/0")
    place.waiting = Waiting(place.pool, nowhere, place.controls)
    job_id = await place.add()
    assert await place.codes(job_id) == ["no_worker", "redis_unavailable"]
    await place.serve()
    await place.only(job_id, "redis_unavailable")
    await nowhere.aclose()


@pytest.mark.parametrize("waiting", [10, 2000])
async def test_asking_costs_the_same_however_long_the_queue_is(
    place: Place, waiting: int, count_commands: Callable[[], Awaitable[int]]
) -> None:
    await place.bell.ring([Ring(new_id(), "work", tenant="acme") for _ in range(waiting)])
    job_id = await place.add(org_id="acme")
    await place.why(job_id)
    before = await count_commands()
    await place.why(job_id)
    assert await count_commands() - before < 25


@pytest.fixture
def count_commands(redis: Redis) -> Callable[[], Awaitable[int]]:
    """How many commands the server has done, those of scripts among them."""

    async def count() -> int:
        stats = await redis.info("commandstats")
        return sum(command["calls"] for command in stats.values())

    return count
