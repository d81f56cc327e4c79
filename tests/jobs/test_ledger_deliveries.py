"""What the ends of its jobs make of a delivery."""

import asyncio

import pytest

from tests.jobs.records import blocked, delivery, record_delivery, running, started
from worker.database.pool import Pool
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Ledger
from worker.jobs.model import JobResult, StartedJob
from worker.jobs.states import State

DONE = JobResult(True, "done", {"n": 1})
FAILURE = Failure("failed", "ValueError", "no such thing", "Traceback …")


async def test_a_delivery_is_marked_with_what_became_of_it(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger, delivery_id=await record_delivery(pool))
    await ledger.retry_later(job, FAILURE, 0.0, ())
    failed = await delivery(pool)
    assert (failed["processed"], failed["processed_at"]) == (False, None)
    assert (failed["retry_count"], failed["error_message"]) == (1, "no such thing")
    await ledger.complete(await started(ledger, job.id), DONE, ())
    done = await delivery(pool)
    assert (done["processed"], done["retry_count"], done["error_message"]) == (True, 1, None)
    assert done["processed_at"] is not None


async def two_of_a_delivery(pool: Pool, ledger: Ledger) -> list[StartedJob]:
    delivery_id = await record_delivery(pool)
    return [await running(ledger, delivery_id=delivery_id) for _ in range(2)]


@pytest.mark.parametrize("turn", [1, -1])
async def test_a_delivery_whose_jobs_end_together_shows_the_one_that_failed(
    pool: Pool, ledger: Ledger, turn: int
) -> None:
    first, second = (await two_of_a_delivery(pool, ledger))[::turn]
    await asyncio.gather(ledger.complete(first, DONE, ()), ledger.bury(second, FAILURE, ()))
    mark = await delivery(pool)
    assert (mark["processed"], mark["retry_count"]) == (False, 1)
    assert mark["error_message"] == "no such thing"


async def test_a_delivery_is_processed_when_its_last_job_is(pool: Pool, ledger: Ledger) -> None:
    first, second = await two_of_a_delivery(pool, ledger)
    await ledger.complete(first, DONE, ())
    assert not (await delivery(pool))["processed"]
    await ledger.retry_later(second, FAILURE, 0.0, ())
    assert not (await delivery(pool))["processed"]
    await ledger.complete(await started(ledger, second.id), DONE, ())
    mark = await delivery(pool)
    assert (mark["processed"], mark["error_message"], mark["retry_count"]) == (True, None, 1)


async def test_jobs_of_a_delivery_that_end_in_two_statements_at_once_see_each_other(
    pool: Pool, ledger: Ledger
) -> None:
    """Both statements have begun before either commits."""
    jobs = await two_of_a_delivery(pool, ledger)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM webhook_events FOR UPDATE")
        ending = asyncio.gather(*(Ledger(pool).complete(job, DONE, ()) for job in jobs))
        await blocked(pool, 2)
    assert await ending == [State.COMPLETED, State.COMPLETED]
    assert (await delivery(pool))["processed"]


async def test_a_release_leaves_the_delivery_as_it_is(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger, delivery_id=await record_delivery(pool))
    before = await delivery(pool)
    await ledger.release(job, "stopping")
    assert await delivery(pool) == before
