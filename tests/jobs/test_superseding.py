"""Superseding: what waits behind a newer job of its lane gives way, and nothing else does."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.jobs.records import (
    added,
    asked,
    delivery,
    enrolled,
    events_of,
    new_job,
    record_delivery,
    row,
    running,
    started,
    state_of,
)
from worker.database.pool import Pool, connect_pool
from worker.errors import RecordUnavailable
from worker.jobs import superseding as module
from worker.jobs.cancelling import Cancelling
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Ledger, NotStarted
from worker.jobs.model import JobResult, NewJob
from worker.jobs.queues import QUEUES, Queue
from worker.jobs.states import TERMINAL, State, may_become
from worker.jobs.superseding import Superseding

LANE = "artifact_scan:p:main"
PATIENT = {"artifact-scan": Queue("artifact-scan", ("artifact_scan",))}
STRICT = {"artifact-scan": Queue("artifact-scan", ("artifact_scan",), cancel_superseded=True)}


@pytest.fixture
def superseding(pool: Pool, redis: Redis) -> Superseding:
    return Superseding(pool, PATIENT, Cancelling(pool, redis))


async def in_lane(ledger: Ledger, order: int | None, **fields: Any) -> NewJob:
    return await added(ledger, **({"lane": LANE, "lane_order": order} | fields))


async def states(pool: Pool, *jobs: NewJob) -> list[State]:
    return [await state_of(pool, j.id) for j in jobs]


async def test_the_newest_stands_for_all_that_wait_behind_it(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    jobs = [await in_lane(ledger, order) for order in (1, 3, 2)]
    found = await superseding.settle([LANE])
    assert await states(pool, *jobs) == [State.SUPERSEDED, State.QUEUED, State.SUPERSEDED]
    assert {(s.id, s.by) for s in found} == {(jobs[0].id, jobs[1].id), (jobs[2].id, jobs[1].id)}
    kept = await row(pool, jobs[0].id)
    assert kept["superseded_by"] == jobs[1].id
    assert kept["finished_at"] is not None
    assert await superseding.settle([LANE]) == []


async def test_a_superseded_job_does_not_start(ledger: Ledger, superseding: Superseding) -> None:
    older, _ = await in_lane(ledger, 1), await in_lane(ledger, 2)
    await superseding.settle([LANE])
    answer = await asked(ledger, older.id)
    assert isinstance(answer, NotStarted)
    assert answer.reason == "gone"


async def test_its_delivery_is_processed_and_the_project_is_told(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    project_id, guid = await enrolled(pool), await record_delivery(pool)
    failing = await in_lane(ledger, 1, project_id=project_id, delivery_id=guid)
    attempt = await started(ledger, failing.id)
    await ledger.retry_later(attempt, Failure("failed", "E", "not yet"), 60, ())
    newer = await in_lane(ledger, 2)
    [found] = await superseding.settle([LANE])
    kept = await delivery(pool)
    assert (kept["processed"], kept["error_message"]) == (True, None)
    assert kept["processed_at"] is not None
    [event] = await events_of(pool, failing.id)
    payload = {"jobId": str(failing.id), "supersededBy": str(newer.id)}
    assert (event["event"], event["payload"]) == ("job_superseded", payload)
    assert found.event is not None
    assert (found.event.id, found.event.payload) == (event["id"], payload)
    assert (event["project_id"], event["published_at"]) == (project_id, None)


async def test_one_that_comes_late_gives_way_to_a_newer_one_that_runs(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    newer = await running(ledger, lane=LANE, lane_order=2)
    late = await in_lane(ledger, 1)
    [found] = await superseding.settle([LANE])
    assert (found.id, found.by) == (late.id, newer.id)
    assert await state_of(pool, newer.id) is State.RUNNING


@pytest.mark.parametrize("orders", [(5, 5), (5, None), (None, 5), (None, None)])
async def test_what_cannot_be_told_apart_is_all_kept(
    pool: Pool, ledger: Ledger, superseding: Superseding, orders: tuple[int | None, int | None]
) -> None:
    jobs = [await in_lane(ledger, order) for order in orders]
    assert await superseding.settle([LANE]) == []
    assert await states(pool, *jobs) == [State.QUEUED, State.QUEUED]


async def test_other_lanes_and_jobs_without_one_are_left_alone(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    other = await in_lane(ledger, 1, lane="artifact_scan:p:release")
    alone = await added(ledger)
    older, newer = await in_lane(ledger, 1), await in_lane(ledger, 2)
    await superseding.settle([LANE, "no such lane"])
    assert await states(pool, other, alone, older, newer) == [
        State.QUEUED, State.QUEUED, State.SUPERSEDED, State.QUEUED,
    ]  # fmt: skip


async def test_several_lanes_are_settled_at_once(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    lanes = [f"lane {n}" for n in range(3)]
    older = [await in_lane(ledger, 1, lane=lane) for lane in lanes]
    newer = [await in_lane(ledger, 2, lane=lane) for lane in lanes]
    found = await superseding.settle([*lanes, *lanes])
    expected = {(a.id, b.id) for a, b in zip(older, newer, strict=True)}
    assert {(s.id, s.by) for s in found} == expected
    assert set(await states(pool, *newer)) == {State.QUEUED}


async def test_a_crowd_is_superseded_in_parts(
    pool: Pool, ledger: Ledger, superseding: Superseding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    for lane in ("one", "two"):
        jobs = [new_job(lane=lane, lane_order=n) for n in range(6)]
        await ledger.add(jobs)
    found = await superseding.settle(["one", "two"])
    assert len({s.id for s in found}) == len(found) == 10
    waiting = await pool.fetch("SELECT lane_order FROM jobs WHERE state = 'queued'")
    assert [r["lane_order"] for r in waiting] == [5, 5]


@pytest.mark.parametrize("end", ["complete", "bury", "cancel"])
async def test_what_has_ended_supersedes_nothing(
    pool: Pool, ledger: Ledger, superseding: Superseding, end: str
) -> None:
    newer = await running(ledger, lane=LANE, lane_order=2)
    failure = Failure("failed", "E", "m")
    ended = {
        "complete": lambda: ledger.complete(newer, JobResult(True, "done"), ()),
        "bury": lambda: ledger.bury(newer, failure, ()),
        "cancel": lambda: ledger.cancel(newer, "pointless", ()),
    }
    assert await ended[end]()
    older = await in_lane(ledger, 1)
    assert await superseding.settle([LANE]) == []
    assert await state_of(pool, older.id) is State.QUEUED


async def test_what_is_about_to_be_cancelled_supersedes_nothing(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    newer = await running(ledger, lane=LANE, lane_order=2)
    await pool.execute("UPDATE jobs SET cancel_requested_at = now() WHERE id = $1", newer.id)
    older = await in_lane(ledger, 1)
    assert await superseding.settle([LANE]) == []
    assert await state_of(pool, older.id) is State.QUEUED


async def test_a_running_job_runs_on_unless_its_queue_says_otherwise(
    pool: Pool, ledger: Ledger, redis: Redis
) -> None:
    older = await running(ledger, lane=LANE, lane_order=1, delivery_id=await record_delivery(pool))
    newer = await in_lane(ledger, 2)
    await Superseding(pool, PATIENT, Cancelling(pool, redis)).settle([LANE])
    assert (await row(pool, older.id))["cancel_requested_at"] is None
    await Superseding(pool, STRICT, Cancelling(pool, redis)).settle([LANE])
    kept = await row(pool, older.id)
    assert kept["cancel_reason"] == f"superseded by {newer.id}"
    assert (await row(pool, newer.id))["cancel_requested_at"] is None
    assert await ledger.cancel(older, kept["cancel_reason"], ()) is State.CANCELLED
    assert (await delivery(pool))["processed"]


async def test_a_delivery_with_more_to_do_stays_open(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    guid = await record_delivery(pool)
    await in_lane(ledger, 1, delivery_id=guid)
    other = await running(ledger, delivery_id=guid)
    await in_lane(ledger, 2)
    assert len(await superseding.settle([LANE])) == 1
    assert not (await delivery(pool))["processed"]
    await ledger.complete(other, JobResult(True, "done"), ())
    assert (await delivery(pool))["processed"]


async def test_a_job_that_is_being_started_is_not_waited_for(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    older, _ = await in_lane(ledger, 1), await in_lane(ledger, 2)
    async with pool.acquire() as other, other.transaction():
        await other.execute("UPDATE jobs SET priority = 1 WHERE id = $1", older.id)
        assert await asyncio.wait_for(superseding.settle([LANE]), 5) == []
    assert await state_of(pool, older.id) is State.QUEUED


async def test_every_superseding_is_a_legal_move(
    pool: Pool, ledger: Ledger, superseding: Superseding
) -> None:
    await in_lane(ledger, 9)
    for state in State:
        job = await in_lane(ledger, 1)
        await pool.execute(
            "UPDATE jobs SET state = $2, finished_at = CASE WHEN $3 THEN now() END,"
            " superseded_by = CASE WHEN $2 = 'superseded' THEN id END,"
            " worker = CASE WHEN $2 = 'running' THEN 'w' END WHERE id = $1",
            job.id, state.value, state in TERMINAL,
        )  # fmt: skip
        moved = [s.id for s in await superseding.settle([LANE])]
        assert (moved == [job.id]) is may_become(state, State.SUPERSEDED)


async def test_without_postgres_nothing_is_settled(database_url: str, redis: Redis) -> None:
    pool = await connect_pool(database_url, size=1)
    await pool.close()
    with pytest.raises(RecordUnavailable):
        await Superseding(pool, QUEUES, Cancelling(pool, redis)).settle([LANE])
