"""One attempt, from started to recorded: check, run, decide, record, tell."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import structlog

from worker.database.pool import describe
from worker.engine.attempts import Interruption, LeaseLost, Released, TimedOut, outcome_of
from worker.engine.claims import NEVER
from worker.engine.outages import OUTAGES, Patience
from worker.errors import InvalidInput, PermanentError, RecordUnavailable
from worker.jobs.events import NewEvent
from worker.jobs.ledger import UNSTORABLE, Failure, Ledger
from worker.jobs.model import Cancel, Completed, Failed, JobResult, Outcome, Snooze, StartedJob
from worker.jobs.payloads import ProjectPayload, validate
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.logs import bind
from worker.metrics import JOB_DURATION, JOB_WAIT, JOBS_PROCESSED, JOBS_RETRIED, SLA_BREACHES

log = structlog.get_logger(__name__)

OUTAGE_SECONDS = 1.0

MakeContext = Callable[[StartedJob], Any]


class Tell(Protocol):
    """Sends a recorded event on its way."""

    def __call__(self, event: NewEvent) -> None: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: its status for logs and metrics, and when its id is due again."""

    status: str
    delay_ms: int = NEVER


_COMPLETED, _LOST, _REFUSED = Ended("completed"), Ended("lost"), Ended("refused")


@dataclass(slots=True)
class Decision:
    """What to write into the record, and what follows from it."""

    ended: Ended
    write: Callable[[], Awaitable[bool]]
    events: Sequence[NewEvent] = ()
    fields: dict[str, Any] | None = None


class Executor:
    """Runs the attempts of one queue, and answers how each ended."""

    def __init__(
        self,
        queue: Queue,
        registry: Registry,
        ledger: Ledger,
        make_context: MakeContext,
        tell: Tell,
        stopping: asyncio.Event,
    ) -> None:
        self._queue = queue
        self._registry = registry
        self._ledger = ledger
        self._make_context = make_context
        self._tell = tell
        self._stopping = stopping
        self._limit = TimedOut(queue.timeout)
        self._duration = JOB_DURATION.labels(queue.name)
        self._wait = JOB_WAIT.labels(queue.name)
        self._processed = cache(lambda status: JOBS_PROCESSED.labels(queue.name, status))

    async def run(self, job: StartedJob, interruption: Interruption) -> Ended:
        """Run one attempt and record how it ended. Raises RecordUnavailable when it cannot be."""
        bind(
            job_id=job.id, kind=job.kind, attempt=job.attempt, project_id=job.project_id,
            delivery_id=job.delivery_id, correlation_id=job.correlation_id,
        )  # fmt: skip
        started = time.monotonic()
        outcome = await outcome_of(lambda: self._handle(job), interruption, self._limit)
        seconds = time.monotonic() - started
        if isinstance(outcome, LeaseLost):
            return _report(_LOST, seconds, {})
        decision, ended = await self._conclude(job, outcome)
        self._measure(job, ended, seconds)
        return _report(ended, seconds, decision.fields or {})

    async def give_up(self, job: StartedJob) -> Ended:
        """Record a time-out although the handler goes on: what it answers later is refused."""
        failure = Failure("timeout", "TimeoutError", f"{self._limit}, and ignored its cancellation")
        decision = self._failed(job, failure)
        ended = await self._record(decision)
        self._measure(job, ended, self._limit.seconds)
        log.error("job.ignored_cancellation", job_id=str(job.id), kind=job.kind)
        return ended

    async def _conclude(
        self, job: StartedJob, outcome: Outcome | BaseException
    ) -> tuple[Decision, Ended]:
        """Decide and record. An outcome that the record cannot hold buries the job."""
        try:
            decision = self._decide(job, outcome)
            return decision, await self._record(decision)
        except (*UNSTORABLE, OverflowError) as error:
            message = f"the outcome cannot be recorded: {describe(error)}"
            decision = self._buried(job, Failure("failed", type(error).__name__, message), message)
            return decision, await self._record(decision)

    async def _handle(self, job: StartedJob) -> Outcome:
        registration = self._registry.get(job.kind)
        payload = validate(registration.payload, job.payload)
        if isinstance(payload, ProjectPayload) and job.project is None:
            raise PermanentError(f"project {payload.project_id} is not enrolled")
        outcome: object = await registration.handler(payload, self._make_context(job))
        if not isinstance(outcome, Outcome):
            name = type(outcome).__name__
            raise PermanentError(f"the handler answered {name}, which is not a decision")
        return outcome

    def _decide(self, job: StartedJob, outcome: Outcome | BaseException) -> Decision:
        match outcome:
            case Completed():
                return self._completed(job, outcome)
            case Snooze(seconds, reason):
                return Decision(
                    Ended("snoozed", int(seconds * 1000)),
                    lambda: self._ledger.snooze(job, seconds, str(reason)),
                    fields={"reason": reason},
                )
            case Cancel(reason):
                return Decision(
                    Ended("cancelled"), lambda: self._ledger.cancel(job, str(reason), ()),
                    fields={"reason": reason},
                )  # fmt: skip
            case RecordUnavailable():
                # Our own outage is not the job's failure.
                return self._decide(job, Snooze(OUTAGE_SECONDS, outcome.message))
            case Released():
                return Decision(
                    Ended("released", 0), lambda: self._ledger.release(job, str(outcome))
                )
            case Failed(error):
                return self._failed(job, Failure("failed", "Failed", str(error)))
            case TimedOut():
                return self._failed(job, Failure("timeout", "TimeoutError", str(outcome)))
            case PermanentError() | InvalidInput():
                return self._buried(job, Failure.of(outcome), _explain(outcome))
            case BaseException():
                return self._failed(job, Failure.of(outcome))

    def _completed(self, job: StartedJob, outcome: Completed) -> Decision:
        result = JobResult(success=True, message=outcome.message, data=outcome.data)
        name = self._registry.get(job.kind).completed_event
        events = _events(job, (name, outcome.data))
        return Decision(_COMPLETED, lambda: self._ledger.complete(job, result, events), events)

    def _failed(self, job: StartedJob, failure: Failure) -> Decision:
        failures = job.failures + 1
        if failures >= job.max_attempts:
            return self._buried(job, failure, failure.message)
        delay = self._queue.backoff.delay(failures, random.random())  # noqa: S311
        events = _events(job, self._failed_event(job, failure.message, will_retry=True))
        return Decision(
            Ended("retrying", int(delay * 1000)),
            lambda: self._ledger.retry_later(job, failure, delay, events),
            events,
            {"error": failure.message, "delay": delay},
        )

    def _buried(self, job: StartedJob, failure: Failure, message: str) -> Decision:
        failure = Failure(failure.outcome, failure.error_type, message, failure.traceback)
        events = _events(
            job,
            self._failed_event(job, message, will_retry=False),
            ("job_dead", {"error": message, "attempt": job.attempt}),
        )
        return Decision(
            Ended("dead"), lambda: self._ledger.bury(job, failure, events), events,
            {"error": message},
        )  # fmt: skip

    def _failed_event(
        self, job: StartedJob, message: str, *, will_retry: bool
    ) -> tuple[str, dict[str, Any]]:
        payload = {"error": message, "attempt": job.attempt, "willRetry": will_retry}
        return self._registry.get(job.kind).failed_event, payload

    async def _record(self, decision: Decision) -> Ended:
        """Write until the record has it: an outage of Postgres must not run the job twice."""
        patience = Patience(self._stopping)
        while True:
            try:
                owned = await decision.write()
                break
            except OUTAGES as error:
                if self._stopping.is_set():
                    raise RecordUnavailable(f"not recorded before stopping: {error}") from error
                log.warning("finish.delayed", error=str(error))
                await patience.wait()
        if not owned:
            return _REFUSED
        for event in decision.events:
            self._tell(event)
        return decision.ended

    def _measure(self, job: StartedJob, ended: Ended, seconds: float) -> None:
        self._processed(ended.status).inc()
        self._duration.observe(seconds)
        self._wait.observe(job.waited)
        if ended.status == "retrying":
            JOBS_RETRIED.labels(job.queue).inc()
        if self._queue.sla is not None and seconds > self._queue.sla:
            SLA_BREACHES.labels(job.queue).inc()


def _report(ended: Ended, seconds: float, fields: dict[str, Any]) -> Ended:
    write = log.info if ended.status in ("completed", "released", "snoozed") else log.warning
    write(f"job.{ended.status}", seconds=round(seconds, 4), **fields)
    return ended


def _events(job: StartedJob, *named: tuple[str, dict[str, Any]]) -> list[NewEvent]:
    if job.project_id is None:
        return []
    return [NewEvent(job.project_id, n, {"jobId": str(job.id)} | p) for n, p in named]


def _explain(error: BaseException) -> str:
    if isinstance(error, InvalidInput) and error.fields:
        fields = "; ".join(f"{name}: {problem}" for name, problem in error.fields.items())
        return f"{error.message}: {fields}"
    return str(error)
