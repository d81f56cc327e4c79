"""Many at once: one winner for each attempt, few statements, no deadlock, all or nothing."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.jobs.records import (
    KINDS,
    WORKER,
    CountingPool,
    added,
    blocked,
    delivery,
    enrolled,
    events_of,
    history,
    new_job,
    record_delivery,
    row,
    running,
    state_of,
)
from worker.database.pool import Pool, connect_pool
from worker.errors import RecordUnavailable
from worker.jobs.events import NewEvent
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Claim, Ledger
from worker.jobs.model import JobResult, StartedJob
from worker.jobs.states import State

DONE = JobResult(True, "done")
FAILURE = Failure("failed", "E", "m")


async def start_all(ledger: Ledger, ids: list[UUID], token: str) -> list[StartedJob]:
    answers = await ledger.start([Claim(i, token) for i in ids], token, KINDS)
    return [a for a in answers if isinstance(a, StartedJob)]


async def test_concurrent_starters_each_get_an_attempt_of_their_own(
    pool: Pool, ledger: Ledger
) -> None:
    ids = [(await added(ledger)).id for _ in range(5)]
    rivals = [Ledger(pool) for _ in range(3)]
    won = await asyncio.gather(
        *(start_all(r, ids[::step], f"t{n}") for n, r in enumerate(rivals) for step in (1, -1)),
    )
    for job_id in ids:
        by_attempt = {(j.attempt, j.token) for jobs in won for j in jobs if j.id == job_id}
        attempts = sorted(attempt for attempt, _ in by_attempt)
        assert attempts == [*range(1, len(attempts) + 1)]
        assert (await row(pool, job_id))["attempt"] == attempts[-1]
        assert (await row(pool, job_id))["claim"] in {t for a, t in by_attempt if a == attempts[-1]}


async def test_two_tokens_for_one_job_in_one_statement_have_one_winner(
    pool: Pool, ledger: Ledger
) -> None:
    job = await added(ledger)
    answers = await ledger.start([Claim(job.id, "old"), Claim(job.id, "new")], WORKER, KINDS)
    [winner] = [a for a in answers if isinstance(a, StartedJob)]
    found = await row(pool, job.id)
    assert (found["claim"], found["attempt"]) == (winner.token, winner.attempt) == ("new", 1)


async def test_of_concurrent_endings_of_an_attempt_one_is_recorded(
    pool: Pool, ledger: Ledger
) -> None:
    project_id = await enrolled(pool)
    job = await running(ledger, project_id=project_id)
    event = NewEvent(project_id, "artifact_scan_completed", {})
    ended = await asyncio.gather(
        ledger.complete(job, DONE, [event]),
        ledger.bury(job, FAILURE, [NewEvent(project_id, "job_dead", {})]),
        Ledger(pool).complete(job, DONE, [NewEvent(project_id, "other", {})]),
    )
    [became] = [state for state in ended if state]
    assert became is (State.COMPLETED, State.DEAD, State.COMPLETED)[ended.index(became)]
    assert len(await events_of(pool, job.id)) == 1
    assert await state_of(pool, job.id) is became


async def test_a_stale_attempt_in_the_same_statement_as_its_successor_is_refused(
    pool: Pool, ledger: Ledger
) -> None:
    project_id = await enrolled(pool)
    stale = await running(ledger, project_id=project_id)
    [owner] = await start_all(ledger, [stale.id], "t2")
    others = [await running(ledger) for _ in range(2)]
    late = NewEvent(project_id, "artifact_scan_failed", {})
    assert await asyncio.gather(
        *(ledger.complete(job, DONE, ()) for job in others),
        ledger.bury(stale, FAILURE, [late]),
        ledger.complete(owner, DONE, ()),
        ledger.bury(stale, FAILURE, [late]),
    ) == [State.COMPLETED, State.COMPLETED, None, State.COMPLETED, None]
    assert await state_of(pool, stale.id) is State.COMPLETED
    assert await history(pool, stale.id) == [(1, "crashed")]
    assert await events_of(pool, stale.id) == []


async def test_many_callers_share_a_few_statements(pool: Pool, ledger: Ledger) -> None:
    jobs = [new_job() for _ in range(200)]
    await ledger.add(jobs)
    counting = CountingPool(pool)
    busy = Ledger(counting)  # type: ignore[arg-type]
    won = await asyncio.gather(*(start_all(busy, [j.id], "t") for j in jobs))
    starts = counting.statements
    assert starts <= 2 + 200 // 50
    assert (
        await asyncio.gather(*(busy.complete(j, DONE, ()) for [j] in won))
        == [State.COMPLETED] * 200
    )
    assert counting.statements - starts <= 3
    assert await pool.fetchval("SELECT count(*) FROM jobs WHERE state = 'completed'") == 200


async def test_drain_waits_for_what_is_on_its_way(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    ending = asyncio.ensure_future(ledger.complete(job, DONE, ()))
    await asyncio.sleep(0)
    await ledger.drain()
    assert await state_of(pool, job.id) is State.COMPLETED
    assert await ending


async def test_ledgers_that_end_overlapping_sets_in_crossed_orders_all_succeed(
    pool: Pool, ledger: Ledger
) -> None:
    jobs = [await running(ledger) for _ in range(40)]
    rivals = [Ledger(pool) for _ in range(4)]
    ended = await asyncio.gather(
        *(
            rival.complete(job, DONE, ())
            for n, rival in enumerate(rivals)
            for job in (jobs if n % 2 else jobs[::-1])
        )
    )
    assert sum(state is State.COMPLETED for state in ended) == len(jobs)


async def test_a_deadlock_is_tried_again(pool: Pool, ledger: Ledger) -> None:
    """Another program locks the two rows in the other order; Postgres ends one of the two."""
    first, second = sorted([await running(ledger), await running(ledger)], key=lambda j: j.id)
    lock = "SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE"
    async with pool.acquire() as other:
        await other.execute("SET deadlock_timeout = '20s'")
        async with other.transaction():
            await other.execute(lock, second.id)
            ending = asyncio.gather(*(ledger.complete(j, DONE, ()) for j in (first, second)))
            await blocked(pool)
            await other.execute(lock, first.id)
        await other.execute("RESET deadlock_timeout")
    assert await ending == [State.COMPLETED, State.COMPLETED]


async def test_an_outcome_and_its_events_are_recorded_together_or_not_at_all(
    pool: Pool, ledger: Ledger
) -> None:
    job = await running(ledger, delivery_id=await record_delivery(pool))
    before, mark = await row(pool, job.id), await delivery(pool)
    nowhere: Any = None
    with pytest.raises(asyncpg.NotNullViolationError):
        await ledger.bury(job, FAILURE, [NewEvent(nowhere, "job_dead", {})])
    assert (await row(pool, job.id), await delivery(pool)) == (before, mark)
    assert await history(pool, job.id) == []
    assert await ledger.bury(job, FAILURE, [])


async def test_a_lost_postgres_is_record_unavailable(database_url: str) -> None:
    pool = await connect_pool(database_url, size=2)
    ledger = Ledger(pool)
    job = await running(ledger)
    await pool.close()
    for asked_for in (
        ledger.add([new_job()]),
        ledger.complete(job, DONE, ()),
        ledger.start([Claim(job.id, "t")], WORKER, KINDS),
        ledger.retry_dead([job.id]),
    ):
        with pytest.raises(RecordUnavailable, match="Postgres cannot be reached"):
            await asked_for
