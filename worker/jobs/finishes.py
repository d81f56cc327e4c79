"""How an attempt can end: one function for each transition, and their form in the record."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.database.pool import encode_json, plain
from worker.jobs.events import NewEvent
from worker.jobs.model import Attempt, JobResult, StartedJob
from worker.jobs.rows import columns
from worker.jobs.states import State


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt went wrong, as it is kept in its history."""

    outcome: str
    error_type: str
    message: str
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException, outcome: str = "failed") -> "Failure":
        """From an exception: its text, or its type when it has none."""
        text = "".join(traceback.format_exception(error))[-8000:]
        return cls(outcome, type(error).__name__, str(error) or type(error).__name__, text)


@dataclass(slots=True)
class Finish:
    """The end of an attempt. `delay` is seconds until the job is due again, None when it ended."""

    job: StartedJob | Attempt
    state: State
    delay: float | None = None
    failed: bool = False
    result: JobResult | None = None
    failure: Failure | None = None
    events: Sequence[NewEvent] = field(default=())

    @property
    def ends_badly(self) -> bool:
        """Whether the job shows an error: not when it only waits for another moment."""
        return self.failed or self.state is State.CANCELLED


def completed(job: StartedJob, result: JobResult, events: Sequence[NewEvent]) -> Finish:
    """Running → completed."""
    return Finish(job, State.COMPLETED, None, False, result, None, events)


def retried(job: StartedJob, failure: Failure, delay: float, events: Sequence[NewEvent]) -> Finish:
    """Running → retrying, with one more failure; due again after `delay` seconds."""
    return Finish(job, State.RETRYING, delay, True, failed_result(failure), failure, events)


def buried(job: StartedJob, failure: Failure, events: Sequence[NewEvent]) -> Finish:
    """Running → dead: a dead letter, until somebody retries or discards it."""
    return Finish(job, State.DEAD, None, True, failed_result(failure), failure, events)


def snoozed(job: StartedJob, delay: float, reason: str) -> Finish:
    """Running → retrying, counting nothing; due again after `delay` seconds."""
    return Finish(job, State.RETRYING, delay, failure=Failure("snoozed", "Snooze", reason))


def released(job: StartedJob | Attempt, reason: str) -> Finish:
    """Running → queued, counting nothing: this worker does not go on with it."""
    return Finish(job, State.QUEUED, 0.0, failure=Failure("released", "Released", reason))


def cancelled(job: StartedJob, reason: str, events: Sequence[NewEvent]) -> Finish:
    """Running → cancelled."""
    failure = Failure("cancelled", "Cancelled", reason)
    result = JobResult(success=False, message="cancelled", error=reason)
    return Finish(job, State.CANCELLED, None, False, result, failure, events)


def failed_result(failure: Failure) -> JobResult:
    """The result that a failed attempt leaves on its job."""
    return JobResult(success=False, message=f"attempt {failure.outcome}", error=failure.message)


def finish_arguments(finishes: Sequence[Finish]) -> list[list[Any]]:
    """One array a column, in the order that the `finish` statement takes."""
    noted = [f for f in finishes if f.failure]
    return [
        [f.job.id for f in finishes],
        [f.job.attempt for f in finishes],
        [f.state.value for f in finishes],
        [f.delay for f in finishes],
        [int(f.failed) for f in finishes],
        [encode_json(f.result.wire()) if f.result else None for f in finishes],
        [plain(f.failure.message) if f.failure and f.ends_badly else None for f in finishes],
        *columns((_noted(f.job, f.failure) for f in noted if f.failure), 6),
        *columns((_told(f.job, e) for f in finishes for e in f.events), 5),
    ]


def _noted(job: StartedJob | Attempt, failure: Failure) -> tuple[Any, ...]:
    message, trace = plain(failure.message), plain(failure.traceback or "") or None
    return job.id, job.worker, failure.outcome, failure.error_type, message, trace


def _told(job: StartedJob | Attempt, event: NewEvent) -> tuple[Any, ...]:
    return event.id, event.project_id, job.id, event.event, encode_json(event.payload)
