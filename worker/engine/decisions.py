"""From how a handler ended to what is recorded of it, and what follows."""

import random
from dataclasses import dataclass
from typing import Any

from worker.database.pool import describe
from worker.engine.attempts import Cancelled, Released, TimedOut
from worker.engine.claims import NEVER
from worker.errors import InvalidInput, PermanentError, RecordUnavailable
from worker.jobs import finishes
from worker.jobs.events import NewEvent
from worker.jobs.finishes import Failure, Finish
from worker.jobs.model import Cancel, Completed, Failed, JobResult, Outcome, Snooze, StartedJob
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry

OUTAGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: its status for logs and metrics, and when its id is due again."""

    status: str
    delay_ms: int = NEVER

    @property
    def log_event(self) -> str:
        """The name of the line that is logged of it."""
        return f"job.{self.status}"


COMPLETED, CANCELLED = Ended("completed"), Ended("cancelled")
# Another worker owns the job: it was told so, or the record refused what it wanted to write.
LOST, REFUSED = Ended("lost"), Ended("refused")


@dataclass(slots=True)
class Decision:
    """What to write into the record, and what the log line says besides."""

    ended: Ended
    finish: Finish
    fields: dict[str, Any] | None = None


class Decisions:
    """One queue's policy, applied to how attempts end."""

    def __init__(self, queue: Queue, registry: Registry) -> None:
        self._queue = queue
        self._registry = registry

    def of(self, job: StartedJob, outcome: Outcome | BaseException) -> Decision:
        """What to do about an outcome, or about the error or interruption that took its place."""
        match outcome:
            case Completed():
                return self._completed(job, outcome)
            case Snooze(seconds, reason):
                ended = Ended("snoozed", int(seconds * 1000))
                return Decision(
                    ended, finishes.snoozed(job, seconds, str(reason)), {"reason": reason}
                )
            case Cancel() | Cancelled():
                return self._cancelled(job, str(outcome.reason))
            case RecordUnavailable():
                # Our own outage is not the job's failure.
                return self.of(job, Snooze(OUTAGE_SECONDS, outcome.message))
            case Released():
                return Decision(Ended("released", 0), finishes.released(job, str(outcome)))
            case Failed(error, retry_in):
                return self.failed(job, Failure("failed", "Failed", str(error)), retry_in)
            case TimedOut():
                return self.failed(job, Failure("timeout", "TimeoutError", str(outcome)))
            case PermanentError() | InvalidInput():
                return self.buried(job, Failure.of(outcome), _explain(outcome))
            case BaseException():
                return self.failed(job, Failure.of(outcome))

    def failed(self, job: StartedJob, failure: Failure, retry_in: float | None = None) -> Decision:
        """One more failure: tried again later, or a dead letter."""
        failures = job.failures + 1
        if failures >= job.max_attempts:
            return self.buried(job, failure, failure.message)
        delay = retry_in
        if delay is None:
            delay = self._queue.backoff.delay(failures, random.random())  # noqa: S311
        events = _events(job, self._failed_event(job, failure.message, will_retry=True))
        return Decision(
            Ended("retrying", int(delay * 1000)),
            finishes.retried(job, failure, delay, events),
            {"error": failure.message, "delay": delay},
        )

    def buried(self, job: StartedJob, failure: Failure, message: str) -> Decision:
        """A dead letter, which says `message`."""
        failure = Failure(failure.outcome, failure.error_type, message, failure.traceback)
        events = _events(
            job,
            self._failed_event(job, message, will_retry=False),
            ("job_dead", {"error": message, "attempt": job.attempt}),
        )
        return Decision(Ended("dead"), finishes.buried(job, failure, events), {"error": message})

    def unstorable(self, job: StartedJob, error: BaseException) -> Decision:
        """A dead letter: the record cannot hold the outcome."""
        message = f"the outcome cannot be recorded: {describe(error)}"
        return self.buried(job, Failure("failed", type(error).__name__, message), message)

    def _completed(self, job: StartedJob, outcome: Completed) -> Decision:
        result = JobResult(success=True, message=outcome.message, data=outcome.data)
        name = self._registry.get(job.kind).completed_event
        events = _events(job, *outcome.events, (name, outcome.data))
        return Decision(COMPLETED, finishes.completed(job, result, events))

    def _cancelled(self, job: StartedJob, reason: str) -> Decision:
        events = _events(job, ("job_cancelled", {"reason": reason}))
        return Decision(CANCELLED, finishes.cancelled(job, reason, events), {"reason": reason})

    def _failed_event(
        self, job: StartedJob, message: str, *, will_retry: bool
    ) -> tuple[str, dict[str, Any]]:
        payload = {"error": message, "attempt": job.attempt, "willRetry": will_retry}
        return self._registry.get(job.kind).failed_event, payload


def _events(job: StartedJob, *named: tuple[str, dict[str, Any]]) -> list[NewEvent]:
    if job.project_id is None:
        return []
    return [NewEvent(job.project_id, n, {"jobId": str(job.id)} | p) for n, p in named]


def _explain(error: BaseException) -> str:
    if isinstance(error, InvalidInput) and error.fields:
        fields = "; ".join(f"{name}: {problem}" for name, problem in error.fields.items())
        return f"{error.message}: {fields}"
    return str(error)
