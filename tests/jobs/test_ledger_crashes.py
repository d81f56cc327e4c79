"""Lost answers and lost leases: the first cost nothing, the third of the second kills the job."""

from tests.jobs.records import (
    WORKER,
    added,
    asked,
    delivery,
    enrolled,
    events_of,
    history,
    record_delivery,
    row,
    running,
    started,
)
from worker.database.pool import Pool
from worker.jobs.ledger import CRASHES_ALLOWED, Ledger, NotStarted
from worker.jobs.model import JobResult

DONE = JobResult(True, "done")


async def test_asking_again_with_the_same_token_counts_nothing(pool: Pool, ledger: Ledger) -> None:
    job = await added(ledger)
    first = await started(ledger, job.id, "token")
    before = await row(pool, job.id)
    again = await started(ledger, job.id, "token")
    assert again.attempt == first.attempt == 1
    assert await row(pool, job.id) == before
    assert await history(pool, job.id) == []
    assert await ledger.complete(again, DONE, ())


async def test_a_lost_lease_is_a_crash_and_the_third_is_poison(pool: Pool, ledger: Ledger) -> None:
    project_id = await enrolled(pool)
    job = await running(ledger, project_id=project_id, delivery_id=await record_delivery(pool))
    for crashes in range(1, CRASHES_ALLOWED):
        taken = await started(ledger, job.id)
        assert taken.attempt == crashes + 1
        assert (await row(pool, job.id))["crashes"] == crashes
    answer = await asked(ledger, job.id)
    assert isinstance(answer, NotStarted)
    assert answer.reason == "poison"
    found = await row(pool, job.id)
    assert (found["state"], found["crashes"], found["failures"]) == ("dead", 3, 0)
    assert found["error"] == "this job stopped its worker 3 times"
    assert await history(pool, job.id) == [(1, "crashed"), (2, "crashed"), (3, "crashed")]


async def test_poison_is_told_of_and_marked_on_its_delivery(pool: Pool, ledger: Ledger) -> None:
    project_id = await enrolled(pool)
    job = await running(ledger, project_id=project_id, delivery_id=await record_delivery(pool))
    for _ in range(CRASHES_ALLOWED):
        await asked(ledger, job.id)
    error = "this job stopped its worker 3 times"
    [told] = await events_of(pool, job.id)
    assert (told["event"], told["project_id"]) == ("job_dead", project_id)
    assert told["payload"] == {"jobId": str(job.id), "error": error, "attempt": 3}
    mark = await delivery(pool)
    assert (mark["processed"], mark["retry_count"], mark["error_message"]) == (False, 1, error)


async def test_a_crash_names_the_worker_that_was_lost(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    await started(ledger, job.id, worker="worker-2")
    [kept] = await pool.fetch("SELECT * FROM job_attempts WHERE job_id = $1", job.id)
    assert (kept["worker"], kept["error_type"]) == (WORKER, "WorkerLost")
    assert WORKER in kept["message"]
    assert (await row(pool, job.id))["worker"] == "worker-2"


async def test_a_retried_job_may_crash_as_often_as_a_new_one(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    for _ in range(CRASHES_ALLOWED):
        await asked(ledger, job.id)
    await ledger.retry_dead([job.id])
    assert (await row(pool, job.id))["crashes"] == 0
    for attempt in range(CRASHES_ALLOWED):
        assert (await started(ledger, job.id)).attempt == CRASHES_ALLOWED + 1 + attempt
    assert isinstance(await asked(ledger, job.id), NotStarted)
