"""Every move from every state: the legal ones happen, the others change nothing at all."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.jobs.records import asked, events_of, history, placed, row, state_of
from worker.database.pool import Pool
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Claim, Ledger, NotStarted
from worker.jobs.model import JobResult, StartedJob
from worker.jobs.states import TRANSITIONS, State, may_become

FAILURE = Failure("failed", "ValueError", "no such thing", "Traceback …")
DONE = JobResult(True, "done", {"n": 1})

Move = Callable[[Ledger, StartedJob], Awaitable[Any]]
ENDS: dict[str, tuple[State, Move]] = {
    "complete": (State.COMPLETED, lambda ledger, job: ledger.complete(job, DONE, ())),
    "retry_later": (State.RETRYING, lambda ledger, job: ledger.retry_later(job, FAILURE, 5, ())),
    "bury": (State.DEAD, lambda ledger, job: ledger.bury(job, FAILURE, ())),
    "snooze": (State.RETRYING, lambda ledger, job: ledger.snooze(job, 5, "busy")),
    "release": (State.QUEUED, lambda ledger, job: ledger.release(job, "stopping")),
    "cancel": (State.CANCELLED, lambda ledger, job: ledger.cancel(job, "pointless", ())),
}
STARTABLE = {State.QUEUED, State.RETRYING, State.RUNNING}


@pytest.mark.parametrize("end", ENDS)
async def test_a_running_attempt_ends_as_asked(pool: Pool, ledger: Ledger, end: str) -> None:
    after, move = ENDS[end]
    job = await placed(pool, State.RUNNING)
    assert await move(ledger, job) is after
    assert await state_of(pool, job.id) is after
    assert may_become(State.RUNNING, after)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("state", [s for s in State if s is not State.RUNNING])
async def test_nothing_but_a_running_job_can_be_ended(
    pool: Pool, ledger: Ledger, state: State, end: str
) -> None:
    job = await placed(pool, state)
    before = await row(pool, job.id)
    assert await ENDS[end][1](ledger, job) is None
    assert await row(pool, job.id) == before
    assert await history(pool, job.id) == []


@pytest.mark.parametrize("state", State)
async def test_a_job_starts_from_waiting_or_when_abandoned(
    pool: Pool, ledger: Ledger, state: State
) -> None:
    job = await placed(pool, state)
    before = await row(pool, job.id)
    answer = await asked(ledger, job.id)
    if state in STARTABLE:
        assert isinstance(answer, StartedJob)
        assert answer.attempt == 2
        assert await state_of(pool, job.id) is State.RUNNING
    else:
        assert isinstance(answer, NotStarted)
        assert answer.reason == "gone"
        assert await row(pool, job.id) == before
    assert may_become(state, State.RUNNING) is (state in STARTABLE)


@pytest.mark.parametrize("state", State)
async def test_only_a_dead_job_is_retried(pool: Pool, ledger: Ledger, state: State) -> None:
    job = await placed(pool, state)
    before = await row(pool, job.id)
    retried = await ledger.retry_dead([job.id])
    if state is State.DEAD:
        assert [r["id"] for r in retried] == [job.id]
        assert await state_of(pool, job.id) is State.QUEUED
    else:
        assert retried == []
        assert await row(pool, job.id) == before


def test_the_ledger_makes_every_legal_move_out_of_running() -> None:
    assert {after for after, _ in ENDS.values()} | {State.RUNNING} == TRANSITIONS[State.RUNNING]


async def test_an_unknown_job_is_gone_and_ends_nothing(pool: Pool, ledger: Ledger) -> None:
    job = await placed(pool, State.RUNNING)
    await pool.execute("DELETE FROM jobs")
    assert await asked(ledger, job.id, "t") == NotStarted(Claim(job.id, "t"), "gone")
    assert await ledger.complete(job, DONE, ()) is None
    assert await ledger.retry_dead([job.id]) == []
    assert await events_of(pool, job.id) == []
