"""What people see of the record, over HTTP and on the command line alike: camelCase, checked."""

from datetime import datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from worker.jobs import model
from worker.jobs.states import State

Item = TypeVar("Item")


class View(BaseModel):
    """The base. A field with a default is left out of the answer unless it was given."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Page(View, Generic[Item]):
    """One page of a list; `next` is the cursor of the page after it, null on the last one."""

    items: list[Item]
    next: str | None


class Project(View):
    """An enrolled repository."""

    id: UUID
    name: str
    repo_url: str
    repository: str
    repository_id: int | None
    default_branch: str | None
    plan: str
    org_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, project: model.Project) -> Self:
        """The project as the record has it."""
        return cls.model_validate(project, from_attributes=True)


class AttemptSummary(View):
    """How an attempt ended that did not complete."""

    attempt: int
    worker: str | None
    started_at: datetime | None
    finished_at: datetime
    outcome: str
    error_type: str | None
    message: str | None


class Attempt(AttemptSummary):
    """The same with its traceback, where there is one."""

    traceback: str | None


class Job(View):
    """A job as it stands."""

    id: UUID
    queue: str
    kind: str
    state: State
    project_id: UUID | None
    org_id: str | None
    payload: Any
    priority: int
    attempt: int
    failures: int
    crashes: int
    max_attempts: int
    progress: int
    progress_message: str | None
    result: Any
    error: str | None
    dedupe_key: str | None
    concurrency_key: str | None
    lane: str | None
    lane_order: int | None
    delivery_id: str | None
    correlation_id: str | None
    traceparent: str | None
    superseded_by: UUID | None
    worker: str | None
    cancel_requested_at: datetime | None
    cancel_reason: str | None
    sla_breached_at: datetime | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobWithAttempts(Job):
    """A job with the history of those attempts that did not complete, first one first."""

    attempts: list[Attempt]


class CancelledJob(JobWithAttempts):
    """A job that is cancelled, or whose worker was asked to end it: `cancelRequested`."""

    cancel_requested: bool


class DeadLetter(Job):
    """A dead job, and how its last attempt ended."""

    last_attempt: AttemptSummary | None


def wire(view: BaseModel) -> bytes:
    """The JSON of a view, as every answer has it; UUIDs and times become text."""
    return orjson.dumps(view.model_dump(by_alias=True, exclude_unset=True), default=str)
