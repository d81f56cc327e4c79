"""One attempt, from started to recorded: check, run, decide, have it recorded, tell."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

import structlog

from worker.engine.attempts import (
    Cancelled,
    Deadlines,
    Held,
    LeaseLost,
    TimedOut,
    outcome_of,
)
from worker.engine.breaches import Breaches
from worker.engine.decisions import (
    CANCELLED,
    COMPLETED,
    LOST,
    REFUSED,
    Decision,
    Decisions,
    Ended,
)  # fmt: skip
from worker.engine.outages import OUTAGES, Patience
from worker.engine.progress import Reporter, Reports
from worker.engine.recording import Ending, Recorder
from worker.errors import PermanentError, RecordUnavailable
from worker.jobs.events import NewEvent
from worker.jobs.finishes import Failure
from worker.jobs.ledger import UNSTORABLE, Ledger
from worker.jobs.model import OUTCOMES, Outcome, StartedJob
from worker.jobs.payload_base import ProjectPayload
from worker.jobs.payloads import validate
from worker.jobs.progress import Progress
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.jobs.states import State
from worker.logs import bind, info_each
from worker.metrics import JOB_DURATION, JOB_WAIT, JOBS_PROCESSED, JOBS_RETRIED
from worker.tracing import Tracing

log = structlog.get_logger(__name__)

MakeContext = Callable[[StartedJob, Progress], Any]
# Told of every attempt that has ended, and whether its handler goes on; None: not recorded.
OnEnd = Callable[[StartedJob, Held, Ended | None, bool], None]


class Tell(Protocol):
    """Sends a recorded event on its way."""

    def __call__(self, event: NewEvent) -> None: ...


class Executor:
    """Runs the attempts of one queue, has their ends recorded, and tells `on_end` of each."""

    on_end: OnEnd

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
        self._decisions = Decisions(queue, registry)
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
        self._recorder = Recorder(
            ledger, self._decisions, stopping, self._follow,
            lambda e: self.on_end(e.job, e.held, None, e.given_up),
        )  # fmt: skip
        self._processed = cache(lambda status: JOBS_PROCESSED.labels(queue.name, status))

    async def run(self, job: StartedJob, held: Held) -> None:
        """Run one attempt and have its end recorded. Raises RecordUnavailable when it cannot be."""
        bind(**job.names())
        reporter, started = self._reports.reporter(job), time.monotonic()
        outcome = await outcome_of(
            lambda: self._handle(job, reporter), held.interruption, self._deadlines
        )
        seconds = time.monotonic() - started
        if isinstance(outcome, LeaseLost):
            self._tracing.attempt(job, seconds, seconds, LOST.status, None)
            _report(job, LOST, seconds, {})
            self.on_end(job, held, LOST, False)
            return
        decision = self._decide(job, outcome)
        if reporter.used or self._is_late(seconds):
            await self._say_the_last(job, reporter, seconds)
        self._recorder.put(Ending(job, held, decision, started, seconds))

    async def give_up(self, job: StartedJob, held: Held, seconds: float) -> None:
        """Have the end recorded although the handler goes on: what it answers later is refused.

        `seconds` is for how long it has been running.
        """
        reason = held.interruption.reason
        if isinstance(reason, Cancelled):
            decision = self._decisions.of(job, reason)
        else:
            message = f"{self._limit}, and ignored its cancellation"
            decision = self._decisions.failed(job, Failure("timeout", "TimeoutError", message))
        if self._is_late(seconds):
            await self._say_the_last(job, None, seconds)
        self._recorder.put(Ending(job, held, decision, held.started, seconds, given_up=True))

    @property
    def recording(self) -> "frozenset[asyncio.Task[None]]":
        """What is being recorded now."""
        return self._recorder.tasks

    def _decide(self, job: StartedJob, outcome: Outcome | BaseException) -> Decision:
        try:
            return self._decisions.of(job, outcome)
        except (*UNSTORABLE, OverflowError) as error:
            return self._decisions.unstorable(job, error)

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

    def _is_late(self, seconds: float) -> bool:
        return self._queue.sla is not None and seconds > self._queue.sla

    async def _say_the_last(
        self, job: StartedJob, reporter: Reporter | None, seconds: float
    ) -> None:
        """What may only be said of a job that still runs."""
        patience = Patience(self._stopping)
        while True:
            try:
                if reporter is not None:
                    await self._reports.close(reporter)
                if self._queue.sla is not None and self._is_late(seconds):
                    await self._breaches.flag(job, self._queue.sla, seconds)
                return
            except OUTAGES as error:
                if self._stopping.is_set():
                    raise RecordUnavailable(f"not recorded before stopping: {error}") from error
                log.warning("finish.delayed", jobs=1, error=str(error))
                await patience.wait()

    def _follow(self, recorded: Sequence[tuple[Ending, State | None]]) -> None:
        """What follows from endings that the record has: events, figures, lines, free slots."""
        completed: list[dict[str, object]] = []
        for ending, became in recorded:
            ended = _ended(ending.decision, became)
            if became is ending.decision.finish.state:
                for event in ending.decision.finish.events:
                    self._tell(event)
            self._measure(ending, ended)
            if ended is COMPLETED:
                completed.append(ending.job.names() | {"seconds": round(ending.seconds, 4)})
            else:
                self._tell_log(ending, ended)
            self.on_end(ending.job, ending.held, ended, ending.given_up)
        info_each(log, COMPLETED.log_event, completed)

    def _tell_log(self, ending: Ending, ended: Ended) -> None:
        _report(ending.job, ended, ending.seconds, ending.decision.fields or {})
        if ending.given_up:
            job = ending.job
            log.error("job.ignored_cancellation", job_id=str(job.id), kind=job.kind,
                      attempt=job.attempt, became=ended.status)  # fmt: skip

    def _measure(self, ending: Ending, ended: Ended) -> None:
        job, seconds = ending.job, ending.seconds
        self._processed(ended.status).inc()
        self._duration.observe(seconds)
        self._wait.observe(job.waited)
        if ended.status == "retrying":
            JOBS_RETRIED.labels(job.queue).inc()
        error = (ending.decision.fields or {}).get("error")
        self._tracing.attempt(job, time.monotonic() - ending.started, seconds, ended.status, error)


def _ended(decision: Decision, became: State | None) -> Ended:
    if became is None:
        return REFUSED
    # Asked for meanwhile; the record has put its own event in place of ours.
    return decision.ended if became is decision.finish.state else CANCELLED


def _report(job: StartedJob, ended: Ended, seconds: float, fields: dict[str, Any]) -> None:
    write = log.info if ended.status in ("completed", "released", "snoozed") else log.warning
    write(ended.log_event, **(job.names() | {"seconds": round(seconds, 4)} | fields))
