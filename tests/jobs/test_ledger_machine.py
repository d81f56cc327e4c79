"""Hypothesis drives the real ledger by random moves; a model says what must come of them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from tests.jobs.records import KINDS, WORKER, new_job
from worker.database.pool import Pool, connect_pool
from worker.jobs import cancelling, sla, superseding
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import CRASHES_ALLOWED, Claim, Ledger, NotStarted
from worker.jobs.model import JobResult, StartedJob
from worker.jobs.sla import Breach
from worker.jobs.states import WAITING, State, may_become

Answer = TypeVar("Answer")
FAILURE = Failure("failed", "E", "m")
LATER = 3600.0
# Few, so that each has a long life.
MOST_JOBS = 2

End = Callable[[Ledger, StartedJob], Awaitable[State | None]]
# How to end an attempt for good or give it back: the state after it, its history, its failure.
ENDS: dict[str, tuple[End, State, str | None, bool]] = {
    "complete": (
        lambda ledger, job: ledger.complete(job, JobResult(True, "x"), ()),
        State.COMPLETED, None, False,
    ),
    "bury": (lambda ledger, job: ledger.bury(job, FAILURE, ()), State.DEAD, "failed", True),
    "cancel": (
        lambda ledger, job: ledger.cancel(job, "x", ()), State.CANCELLED, "cancelled", False,
    ),
    "release": (lambda ledger, job: ledger.release(job, "x"), State.QUEUED, "released", False),
}  # fmt: skip


@dataclass
class Expected:
    """What the record should say of a job."""

    id: UUID
    state: State = State.QUEUED
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    claim: str | None = None
    due: bool = True
    to_cancel: bool = False
    order: int = 0
    breached: bool = False
    history: list[tuple[int, str]] = field(default_factory=list)

    def counts(self) -> tuple[State, int, int, int, str | None]:
        return self.state, self.attempt, self.failures, self.crashes, self.claim

    def start(self, token: str) -> str:
        """The answer to a start, and its consequences."""
        if self.state is State.RUNNING and self.claim != token:
            return self._taken_over(token)
        if self.state is State.RUNNING:
            return "started"
        if self.state not in (State.QUEUED, State.RETRYING):
            return "gone"
        if not self.due:
            return "early"
        self.state, self.claim, self.attempt = State.RUNNING, token, self.attempt + 1
        return "started"

    def _taken_over(self, token: str) -> str:
        self.history.append((self.attempt, "crashed"))
        self.crashes += 1
        if self.to_cancel:
            self.state, self.claim = State.CANCELLED, None
            return "cancelled"
        if self.crashes >= CRASHES_ALLOWED:
            self.state, self.claim = State.DEAD, None
            return "poison"
        self.claim, self.attempt = token, self.attempt + 1
        return "started"

    def cancel(self) -> None:
        """What a request to cancel does."""
        self.to_cancel = self.to_cancel or self.state is State.RUNNING
        if self.state in WAITING:
            self.state = State.CANCELLED

    def owned_by(self, attempt: int) -> bool:
        """Whether the attempt is the one that runs."""
        return self.state is State.RUNNING and self.attempt == attempt

    def end(self, attempt: int, after: State, outcome: str | None, *, counts: bool) -> State | None:
        """What the job becomes when the attempt may end, and the consequences."""
        if not self.owned_by(attempt):
            return None
        completes = after is State.COMPLETED
        self.state = State.CANCELLED if self.to_cancel and not completes else after
        self.claim = None
        self.failures += counts
        self.history += [(attempt, outcome)] if outcome else []
        return self.state


async def in_loop(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The ledger's answers are futures of the running loop."""
    return await ask()


class LedgerMachine(RuleBasedStateMachine):
    """Random adds, starts, repeats, endings by owners and by stale workers, cancels and retries.

    All jobs are in one lane, each newer than those added before it.
    """

    pool: Pool
    loop: asyncio.AbstractEventLoop

    jobs: Bundle[Expected] = Bundle("jobs")
    attempts: Bundle[tuple[Expected, StartedJob]] = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(self.pool)
        self.lane = f"lane {new_id()}"
        self.added: list[Expected] = []

    def run(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        return self.loop.run_until_complete(coroutine)

    @precondition(lambda self: len(self.added) < MOST_JOBS)
    @rule(target=jobs)
    def add(self) -> Expected:
        order = len(self.added)
        job = new_job(lane=self.lane, lane_order=order)
        assert self.run(self.ledger.add([job])) == {job.id}
        self.added.append(Expected(job.id, order=order))
        return self.added[-1]

    @rule(target=attempts, job=jobs)
    def start(self, job: Expected) -> Any:
        return self._start(job, new_id().hex)

    @rule(target=attempts, attempt=attempts)
    def ask_again(self, attempt: tuple[Expected, StartedJob]) -> Any:
        """Only while the token is the row's own: Redis gives each claim another one."""
        job, started = attempt
        return self._start(job, started.token) if job.claim == started.token else multiple()

    def _start(self, job: Expected, token: str) -> Any:
        [answer] = self.move(job, self.ledger.start([Claim(job.id, token)], WORKER, KINDS))
        expected = job.start(token)
        self.agree(job)
        if isinstance(answer, NotStarted):
            assert answer.reason == expected
            return multiple()
        assert expected == "started"
        assert (answer.attempt, answer.failures) == (job.attempt, job.failures)
        return job, answer

    @rule(attempt=attempts, how=st.sampled_from(sorted(ENDS)))
    def end(self, attempt: tuple[Expected, StartedJob], how: str) -> None:
        job, started = attempt
        ask, after, outcome, counts = ENDS[how]
        moved = self.move(job, in_loop(lambda: ask(self.ledger, started)))
        assert moved is job.end(started.attempt, after, outcome, counts=counts)
        self.agree(job)

    @rule(attempt=attempts, snoozed=st.booleans(), delay=st.sampled_from([0.0, 0.0, LATER]))
    def postpone(self, attempt: tuple[Expected, StartedJob], snoozed: bool, delay: float) -> None:
        job, started = attempt

        def ask() -> Awaitable[State | None]:
            if snoozed:
                return self.ledger.snooze(started, delay, "x")
            return self.ledger.retry_later(started, FAILURE, delay, ())

        outcome = "snoozed" if snoozed else "failed"
        moved = self.move(job, in_loop(ask))
        assert moved is job.end(started.attempt, State.RETRYING, outcome, counts=not snoozed)
        job.due = job.due and not (moved is State.RETRYING and delay)
        self.agree(job)

    @rule(job=jobs)
    def cancel(self, job: Expected) -> None:
        [found] = self.move(job, self.pool.fetch(cancelling.SQL.cancel, [job.id], "pointless"))
        assert State(found["state"]) is job.state
        job.cancel()
        self.agree(job)

    @rule()
    def supersede(self) -> None:
        """What waits behind the newest job that somebody wants gives way to it."""
        live = [j for j in self.added if j.state in (*WAITING, State.RUNNING)]
        newest = max((j for j in live if not j.to_cancel), key=lambda j: j.order, default=None)
        behind = [j for j in live if j.state in WAITING and newest and j.order < newest.order]
        rows = self.run(self.pool.fetch(superseding.SQL.supersede, [self.lane], MOST_JOBS))
        assert {r["id"]: r["superseded_by"] for r in rows} == {
            j.id: newest.id for j in behind if newest
        }
        for job in behind:
            assert may_become(job.state, State.SUPERSEDED)
            job.state = State.SUPERSEDED
        for job in self.added:
            self.agree(job)

    @rule(attempt=attempts)
    def flag(self, attempt: tuple[Expected, StartedJob]) -> None:
        """A job is marked once, by the attempt that runs."""
        job, started = attempt
        flagged = self.move(job, sla.flag(self.pool, [Breach(started, 1.0, 2.0)]))
        expected = job.owned_by(started.attempt) and not job.breached
        assert bool(flagged) is expected
        job.breached = job.breached or expected
        self.agree(job)

    @rule(job=jobs)
    def retry(self, job: Expected) -> None:
        retried = self.move(job, self.ledger.retry_dead([job.id]))
        assert bool(retried) is (job.state is State.DEAD)
        if retried:
            job.state, job.failures, job.crashes, job.due = State.QUEUED, 0, 0, True
            job.breached = False
        self.agree(job)

    @rule(job=jobs)
    def look_at_the_history(self, job: Expected) -> None:
        sql = "SELECT attempt, outcome FROM job_attempts WHERE job_id = $1 ORDER BY attempt"
        rows = self.run(self.pool.fetch(sql, job.id))
        assert [(r["attempt"], r["outcome"]) for r in rows] == job.history

    def move(self, job: Expected, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """Do it, and see that the row moved legally and that its attempt did not fall."""
        before = self.look(job)
        answer = self.run(coroutine)
        after = self.look(job)
        moved = State(before["state"]), State(after["state"])
        assert moved[0] is moved[1] or may_become(*moved)
        assert after["attempt"] >= before["attempt"]
        return answer

    def agree(self, job: Expected) -> None:
        found = self.look(job)
        counts = (found["attempt"], found["failures"], found["crashes"], found["claim"])
        assert (State(found["state"]), *counts) == job.counts()
        assert (found["sla_breached_at"] is not None) is job.breached

    def look(self, job: Expected) -> asyncpg.Record:
        found = self.run(self.pool.fetchrow("SELECT * FROM jobs WHERE id = $1", job.id))
        assert found is not None
        return found


def test_random_moves_agree_with_the_model(database_url: str) -> None:
    loop = asyncio.new_event_loop()
    pool = loop.run_until_complete(connect_pool(database_url, size=1))
    bound = type("BoundMachine", (LedgerMachine,), {"pool": pool, "loop": loop})
    try:
        run_machine(
            bound,
            settings=settings(
                max_examples=60,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(pool.close())
        loop.close()
