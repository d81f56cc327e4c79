"""What the ledger makes of a job that was asked to end while it runs."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from arq.connections import ArqRedis

from tests.jobs.records import (
    WORKER,
    asked,
    delivery,
    enrolled,
    events_of,
    history,
    placed,
    record_delivery,
    row,
    running,
    state_of,
)
from worker.database.pool import Pool
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import NewEvent
from worker.jobs.finishes import Failure
from worker.jobs.ledger import CRASHES_ALLOWED, Ledger, NotStarted
from worker.jobs.model import JobResult, StartedJob
from worker.jobs.states import State
from worker.redis_pool import connect_redis

DONE = JobResult(True, "done")
FAILURE = Failure("failed", "ValueError", "no such thing")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def cancelling(pool: Pool, redis: ArqRedis) -> Cancelling:
    return Cancelling(pool, redis)


ENDS: dict[str, Callable[[Ledger, StartedJob, NewEvent], Awaitable[State | None]]] = {
    "retry": lambda ledger, job, event: ledger.retry_later(job, FAILURE, 60, [event]),
    "bury": lambda ledger, job, event: ledger.bury(job, FAILURE, [event]),
    "snooze": lambda ledger, job, _: ledger.snooze(job, 60, "busy"),
    "release": lambda ledger, job, _: ledger.release(job, "stopping"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_however_its_attempt_ends_a_job_to_be_cancelled_is(
    pool: Pool, ledger: Ledger, cancelling: Cancelling, end: str
) -> None:
    project_id = await enrolled(pool)
    job = await running(ledger, project_id=project_id, delivery_id=await record_delivery(pool))
    await cancelling.cancel(job.id, "enough")
    other = NewEvent(project_id, "artifact_scan_failed", {})
    assert await ENDS[end](ledger, job, other) is State.CANCELLED
    found = await row(pool, job.id)
    assert (found["state"], found["error"]) == ("cancelled", "enough")
    assert found["finished_at"] is not None
    assert found["result"] == {"success": False, "message": "cancelled", "error": "enough"}
    assert [e["event"] for e in await events_of(pool, job.id)] == ["job_cancelled"]
    assert [n for n, _ in await history(pool, job.id)] == [1]
    assert (await delivery(pool))["error_message"] == "enough"
    assert (await delivery(pool))["processed"]


async def test_a_job_that_completes_first_is_completed(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    job = await running(ledger)
    await cancelling.cancel(job.id)
    assert await ledger.complete(job, DONE, ()) is State.COMPLETED
    assert (await row(pool, job.id))["error"] is None


async def test_a_lost_workers_job_is_cancelled_instead_of_taken_over(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    project_id, delivery_id = await enrolled(pool), await record_delivery(pool)
    job = await running(ledger, project_id=project_id, delivery_id=delivery_id)
    await cancelling.cancel(job.id, "enough")
    answer = await asked(ledger, job.id, "another token", "another worker")
    assert isinstance(answer, NotStarted)
    assert answer.reason == "cancelled"
    found = await row(pool, job.id)
    assert (found["state"], found["error"], found["crashes"]) == ("cancelled", "enough", 1)
    assert [e["event"] for e in await events_of(pool, job.id)] == ["job_cancelled"]
    assert await history(pool, job.id) == [(1, "crashed")]
    assert (await delivery(pool))["processed"]


async def test_a_job_to_be_cancelled_does_not_die_of_its_last_crash(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    job = await running(ledger)
    await pool.execute("UPDATE jobs SET crashes = $1, attempt = $1 + 1", CRASHES_ALLOWED - 1)
    await cancelling.cancel(job.id)
    await asked(ledger, job.id, "another token", "another worker")
    assert await state_of(pool, job.id) is State.CANCELLED


async def test_a_live_workers_job_is_left_to_it_to_end(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    job = await running(ledger)
    await pool.execute(
        "INSERT INTO workers (id, host, pid, queues) VALUES ($1, 'h', 1, '{}')", WORKER
    )
    await cancelling.cancel(job.id)
    answer = await asked(ledger, job.id, "another token", "another worker")
    assert isinstance(answer, NotStarted)
    assert answer.reason == "alive"
    assert await state_of(pool, job.id) is State.RUNNING


async def test_a_lost_answer_to_a_start_is_repeated_though_the_job_is_to_be_cancelled(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    job = await running(ledger)
    await cancelling.cancel(job.id)
    answer = await asked(ledger, job.id, job.token)
    assert isinstance(answer, StartedJob)
    assert answer.attempt == job.attempt


async def test_a_retry_by_hand_forgets_that_the_job_was_to_be_cancelled(
    pool: Pool, ledger: Ledger
) -> None:
    job = await placed(pool, State.DEAD)
    await pool.execute(
        "UPDATE jobs SET cancel_requested_at = now(), cancel_reason = 'r', progress = 7,"
        " progress_message = 'm', sla_breached_at = now()"
    )
    await ledger.retry_dead([job.id])
    found = await row(pool, job.id)
    assert [found[c] for c in CLEARED] == [None, None, 0, None, None]


CLEARED = ("cancel_requested_at", "cancel_reason", "progress", "progress_message",
           "sla_breached_at")  # fmt: skip
