"""One attempt, from started to recorded: check, run, decide, record, tell."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any, Protocol

import structlog

from worker.database.pool import describe
from worker.engine.attempts import (
    Cancelled,
    Deadlines,
    Interruption,
    LeaseLost,
    TimedOut,
    outcome_of,
)
from worker.engine.breaches import Breaches
from worker.engine.decisions import CANCELLED, LOST, REFUSED, Decision, Decisions, Ended
from worker.engine.outages import OUTAGES, Patience
from worker.engine.progress import Reporter, Reports
from worker.errors import PermanentError, RecordUnavailable
from worker.jobs.events import NewEvent
from worker.jobs.ledger import UNSTORABLE, Failure, Ledger
from worker.jobs.model import OUTCOMES, Outcome, StartedJob
from worker.jobs.payloads import ProjectPayload, validate
from worker.jobs.progress import Progress
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.jobs.states import State
from worker.logs import bind
from worker.metrics import JOB_DURATION, JOB_WAIT, JOBS_PROCESSED, JOBS_RETRIED
from worker.tracing import Tracing

log = structlog.get_logger(__name__)

MakeContext = Callable[[StartedJob, Progress], Any]
Before = Callable[[], Awaitable[None]]


class Tell(Protocol):
    """Sends a recorded event on its way."""

    def __call__(self, event: NewEvent) -> None: ...


class Executor:
    """Runs the attempts of one queue, and answers how each ended."""

    def __init__(
        self,
        queue: Queue,
        registry: Registry,
        ledger: Ledger,
        make_context: MakeContext,
        tell: Tell,
        reports: Reports,
        breaches: Breaches,
        stopping: asyncio.Event,
        tracing: Tracing,
    ) -> None:
        self._queue = queue
        self._registry = registry
        self._decisions = Decisions(queue, registry, ledger)
        self._make_context = make_context
        self._tell = tell
        self._reports = reports
        self._breaches = breaches
        self._stopping = stopping
        self._tracing = tracing
        self._limit = TimedOut(queue.timeout)
        self._deadlines = Deadlines(self._limit)
        self._duration = JOB_DURATION.labels(queue.name)
        self._wait = JOB_WAIT.labels(queue.name)
        self._processed = cache(lambda status: JOBS_PROCESSED.labels(queue.name, status))

    async def run(self, job: StartedJob, interruption: Interruption) -> Ended:
        """Run one attempt and record how it ended. Raises RecordUnavailable when it cannot be."""
        bind(**job.names())
        reporter, started = self._reports.reporter(job), time.monotonic()
        outcome = await outcome_of(
            lambda: self._handle(job, reporter), interruption, self._deadlines
        )
        seconds = time.monotonic() - started
        if isinstance(outcome, LeaseLost):
            self._tracing.attempt(job, seconds, seconds, LOST.status, None)
            return _report(LOST, seconds, {})
        before: Before | None = None
        if reporter.used or (self._queue.sla is not None and seconds > self._queue.sla):
            before = partial(self._say_the_last, job, reporter, seconds)
        decision, ended = await self._conclude(job, outcome, before)
        self._measure(job, ended, seconds)
        since, fields = time.monotonic() - started, decision.fields or {}
        self._tracing.attempt(job, since, seconds, ended.status, fields.get("error"))
        return _report(ended, seconds, fields)

    async def give_up(self, job: StartedJob, reason: Exception | None, seconds: float) -> Ended:
        """Record the end although the handler goes on: what it answers later is refused.

        `seconds` is for how long it has been running.
        """
        if isinstance(reason, Cancelled):
            decision = self._decisions.of(job, reason)
        else:
            message = f"{self._limit}, and ignored its cancellation"
            decision = self._decisions.failed(job, Failure("timeout", "TimeoutError", message))
        ended = await self._record(decision, partial(self._flag_if_late, job, seconds))
        self._measure(job, ended, seconds)
        self._tracing.attempt(job, seconds, seconds, ended.status, str(reason or self._limit))
        log.error("job.ignored_cancellation", job_id=str(job.id), kind=job.kind,
                  attempt=job.attempt, became=ended.status)  # fmt: skip
        return ended

    async def _conclude(
        self, job: StartedJob, outcome: Outcome | BaseException, before: Before | None
    ) -> tuple[Decision, Ended]:
        """Decide and record. An outcome that the record cannot hold buries the job."""
        try:
            decision = self._decisions.of(job, outcome)
            return decision, await self._record(decision, before)
        except (*UNSTORABLE, OverflowError) as error:
            message = f"the outcome cannot be recorded: {describe(error)}"
            failure = Failure("failed", type(error).__name__, message)
            decision = self._decisions.buried(job, failure, message)
            return decision, await self._record(decision, before)

    async def _handle(self, job: StartedJob, reporter: Reporter) -> Outcome:
        registration = self._registry.get(job.kind)
        payload = validate(registration.payload, job.payload)
        if registration.needs_project and job.project is None:
            assert isinstance(payload, ProjectPayload)
            raise PermanentError(f"project {payload.project_id} is not enrolled")
        context = self._make_context(job, reporter)
        outcome: object = await registration.handler(payload, context)
        if not isinstance(outcome, OUTCOMES):
            name = type(outcome).__name__
            raise PermanentError(f"the handler answered {name}, which is not a decision")
        return outcome

    async def _say_the_last(self, job: StartedJob, reporter: Reporter, seconds: float) -> None:
        """What may only be said of a job that still runs."""
        await self._reports.close(reporter)
        await self._flag_if_late(job, seconds)

    async def _flag_if_late(self, job: StartedJob, seconds: float) -> None:
        sla = self._queue.sla
        if sla is not None and seconds > sla:
            await self._breaches.flag(job, sla, seconds)

    async def _record(self, decision: Decision, before: Before | None) -> Ended:
        """Write until the record has it: an outage of Postgres must not run the job twice."""
        patience: Patience | None = None
        while True:
            try:
                if before is not None:
                    await before()
                became = await decision.write()
                break
            except OUTAGES as error:
                if self._stopping.is_set():
                    raise RecordUnavailable(f"not recorded before stopping: {error}") from error
                log.warning("finish.delayed", error=str(error))
                patience = patience or Patience(self._stopping)
                await patience.wait()
        if became is None:
            return REFUSED
        if became is State.CANCELLED and decision.ended is not CANCELLED:
            # Asked for meanwhile; the record has put its own event in place of ours.
            return CANCELLED
        for event in decision.events:
            self._tell(event)
        return decision.ended

    def _measure(self, job: StartedJob, ended: Ended, seconds: float) -> None:
        self._processed(ended.status).inc()
        self._duration.observe(seconds)
        self._wait.observe(job.waited)
        if ended.status == "retrying":
            JOBS_RETRIED.labels(job.queue).inc()


def _report(ended: Ended, seconds: float, fields: dict[str, Any]) -> Ended:
    write = log.info if ended.status in ("completed", "released", "snoozed") else log.warning
    write(ended.log_event, seconds=round(seconds, 4), **fields)
    return ended
