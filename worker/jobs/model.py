"""A job on its way in, a job that was started, and what a handler decides about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel

from worker.jobs.ids import new_id


@dataclass(slots=True)
class NewJob:
    """A job to be recorded. `run_at` None means at once; `dedupe_key` is unique among all jobs.

    At most a queue's `per_key` jobs with the same `concurrency_key` run at once. Of the jobs in a
    `lane` only the one with the highest `lane_order` matters; the others may be superseded.
    """

    queue: str
    kind: str
    payload: dict[str, Any]
    max_attempts: int
    id: UUID = field(default_factory=new_id)
    project_id: UUID | None = None
    org_id: str | None = None
    priority: int = 0
    dedupe_key: str | None = None
    run_at: datetime | None = None
    delivery_id: str | None = None
    correlation_id: str | None = None
    concurrency_key: str | None = None
    traceparent: str | None = None
    lane: str | None = None
    lane_order: int | None = None


PRIORITIES: Mapping[str, int] = {"enterprise": 10, "pro": 10, "starter": 5, "free": 0}


@dataclass(frozen=True, slots=True)
class Project:
    """An enrolled repository; `gates` are the checks that its pushes run, where they were read."""

    id: UUID
    name: str
    repo_url: str
    repository: str
    repository_id: int | None
    default_branch: str | None
    plan: str
    org_id: str | None
    created_at: datetime
    gates: Sequence[str] = ()

    @property
    def priority(self) -> int:
        """The head start that its plan gives its jobs."""
        return PRIORITIES[self.plan]


@dataclass(slots=True)
class StartedJob:
    """One attempt at a job, as the ledger started it. `waited` is seconds from due to start."""

    id: UUID
    queue: str
    kind: str
    payload: Any
    attempt: int
    failures: int
    max_attempts: int
    project_id: UUID | None
    delivery_id: str | None
    correlation_id: str | None
    waited: float
    token: str
    worker: str
    project: Project | None
    traceparent: str | None = None
    lane_order: int | None = None

    def names(self) -> dict[str, object]:
        """What a log line says to tell whose it is."""
        names: dict[str, object] = {"job_id": self.id, "kind": self.kind, "attempt": self.attempt}
        if self.project_id is not None:
            names["project_id"] = self.project_id
        if self.delivery_id is not None:
            names["delivery_id"] = self.delivery_id
        if self.correlation_id is not None:
            names["correlation_id"] = self.correlation_id
        return names


@dataclass(frozen=True, slots=True)
class Attempt:
    """The fence of one attempt: what has to be right for it to end."""

    id: UUID
    attempt: int
    worker: str


@dataclass(slots=True)
class JobResult:
    """What is stored of an ended job, and shown."""

    success: bool
    message: str
    data: dict[str, Any] | None = None
    error: str | None = None

    def wire(self) -> dict[str, Any]:
        """The JSON object, without what is empty."""
        full = {"success": self.success, "message": self.message, "data": self.data,
                "error": self.error}  # fmt: skip
        return {k: v for k, v in full.items() if v is not None}


class Completed:
    """The job is done. Keyword arguments become its data, in camelCase.

    `events` are told besides: name and payload, which gets the job's id.
    """

    def __init__(
        self,
        message: str = "completed",
        *,
        events: Sequence[tuple[str, dict[str, Any]]] = (),
        **data: Any,
    ) -> None:
        self.message = message
        self.events = events
        self.data = {to_camel(name): value for name, value in data.items()}


@dataclass(frozen=True, slots=True)
class Failed:
    """This attempt failed; it counts. Another one follows as the queue's policy says.

    `retry_in` seconds take the place of the policy's delay; how many attempts there are does not
    change.
    """

    error: str
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Not now: try again in so many seconds. Nothing is counted."""

    seconds: float
    reason: str = "snoozed"


@dataclass(frozen=True, slots=True)
class Cancel:
    """There is no point in this job any more."""

    reason: str


Outcome = Completed | Failed | Snooze | Cancel
OUTCOMES = (Completed, Failed, Snooze, Cancel)
