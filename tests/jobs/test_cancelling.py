"""Cancelling: waiting jobs at once, running ones in any case, ended ones never."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.jobs.records import (
    added,
    blocked,
    delivery,
    enrolled,
    events_of,
    placed,
    record_delivery,
    row,
    running,
    state_of,
)
from worker.database.pool import Pool
from worker.errors import Conflict, NotFound
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import channel
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import JobResult
from worker.jobs.ring import Bell, Ring
from worker.jobs.signals import CHANNEL, cancel_message
from worker.jobs.states import TERMINAL, State
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


async def heard(redis: ArqRedis, name: str) -> Any:
    """A subscription that is in force."""
    listening = redis.pubsub(ignore_subscribe_messages=False)
    await listening.subscribe(name)
    assert (await listening.get_message(timeout=5))["type"] == "subscribe"
    return listening


@pytest.mark.parametrize("state", [State.QUEUED, State.RETRYING])
async def test_a_waiting_job_is_cancelled_at_once(
    pool: Pool, cancelling: Cancelling, redis: ArqRedis, state: State
) -> None:
    job = await placed(pool, state)
    await Bell(redis).ring([Ring(job.id, job.queue)])
    assert await cancelling.cancel(job.id, "no longer wanted") is State.CANCELLED
    found = await row(pool, job.id)
    assert (found["state"], found["error"]) == ("cancelled", "no longer wanted")
    assert found["finished_at"] is not None
    assert found["result"] == {
        "success": False, "message": "cancelled", "error": "no longer wanted",
    }  # fmt: skip
    assert await redis.zscore(f"arq:queue:{job.queue}", str(job.id)) is None


async def test_the_event_of_a_waiting_job_is_published(
    pool: Pool, ledger: Ledger, cancelling: Cancelling, redis: ArqRedis
) -> None:
    project_id = await enrolled(pool)
    job = await added(ledger, project_id=project_id)
    async with await heard(redis, channel(project_id)) as listening:
        await cancelling.cancel(job.id, "no longer wanted")
        message = await listening.get_message(timeout=5)
    [event] = await events_of(pool, job.id)
    assert event["event"] == "job_cancelled"
    assert event["payload"] == {"jobId": str(job.id), "reason": "no longer wanted"}
    assert event["published_at"] is not None
    assert str(event["id"]) in message["data"].decode()


async def test_the_delivery_of_a_cancelled_job_says_why(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    delivery_id = await record_delivery(pool)
    first = await added(ledger, delivery_id=delivery_id)
    second = await added(ledger, delivery_id=delivery_id)
    await cancelling.cancel(first.id, "why")
    mark = await delivery(pool)
    assert (mark["processed"], mark["error_message"], mark["retry_count"]) == (False, "why", 0)
    await cancelling.cancel(second.id, "why not")
    mark = await delivery(pool)
    assert (mark["processed"], mark["error_message"]) == (True, "why")


async def test_a_running_job_is_asked_to_end_and_its_workers_are_told(
    pool: Pool, ledger: Ledger, cancelling: Cancelling, redis: ArqRedis
) -> None:
    job = await running(ledger, project_id=await enrolled(pool))
    async with await heard(redis, CHANNEL) as listening:
        assert await cancelling.cancel(job.id, "first") is State.RUNNING
        message = await listening.get_message(timeout=5)
    assert message["data"].decode() == cancel_message(job.id)
    assert await cancelling.cancel(job.id, "second") is State.RUNNING
    found = await row(pool, job.id)
    assert (found["state"], found["cancel_reason"]) == ("running", "first")
    assert found["cancel_requested_at"] is not None
    assert await events_of(pool, job.id) == []


@pytest.mark.parametrize("state", sorted(TERMINAL))
async def test_a_job_that_has_ended_is_a_conflict_that_names_its_state(
    pool: Pool, cancelling: Cancelling, state: State
) -> None:
    job = await placed(pool, state)
    before = await row(pool, job.id)
    with pytest.raises(Conflict, match=f"{job.id} is {state}"):
        await cancelling.cancel(job.id)
    assert await row(pool, job.id) == before


async def test_an_unknown_job_is_not_found(cancelling: Cancelling) -> None:
    with pytest.raises(NotFound):
        await cancelling.cancel(new_id())


async def test_many_are_cancelled_by_one_request(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    waits, runs = await added(ledger), await running(ledger)
    ended, unknown = await placed(pool, State.COMPLETED), new_id()
    answer = await cancelling.request([waits.id, runs.id, ended.id, unknown], "newer push")
    assert answer == {
        waits.id: State.QUEUED, runs.id: State.RUNNING, ended.id: State.COMPLETED,
    }  # fmt: skip
    assert await state_of(pool, waits.id) is State.CANCELLED
    assert (await row(pool, runs.id))["cancel_reason"] == "newer push"
    assert await cancelling.request([], "nothing") == {}


async def test_without_redis_cancelling_works(pool: Pool, ledger: Ledger) -> None:
    nowhere = connect_redis("redis://127.0.0.1:1/0")
    waits, runs = await added(ledger), await running(ledger)
    cancelling = Cancelling(pool, nowhere)
    assert await cancelling.cancel(waits.id) is State.CANCELLED
    assert await cancelling.cancel(runs.id) is State.RUNNING


async def test_a_cancel_that_waits_for_a_finish_sees_how_it_ended(
    pool: Pool, ledger: Ledger, cancelling: Cancelling
) -> None:
    """The finish has locked the row, and commits while the cancel waits for it."""
    job = await running(ledger)
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(
            "UPDATE jobs SET state = 'retrying', worker = NULL, claim = NULL WHERE id = $1", job.id
        )
        waiting = asyncio.create_task(cancelling.cancel(job.id))
        await blocked(pool)
        await transaction.commit()
    assert await waiting is State.CANCELLED
    assert await state_of(pool, job.id) is State.CANCELLED
