"""Queues and workers as people see them: what holds, what waits, and who works on it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

import asyncpg
from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.ledger import SILENCE_SECONDS
from worker.jobs.paging import Cursor, PageQuery, page_of
from worker.jobs.queue_controls import Control, Controlled, QueueControls
from worker.jobs.queues import Queue
from worker.jobs.states import State
from worker.jobs.views import Page, View

SQL = queries.load(__file__)
JOBS_SHOWN = 100


class ByName(PageQuery):
    """A list in the order of its names."""

    cursor: Cursor | None = None


class RateView(View):
    """At most `count` starts in any `seconds`."""

    count: int
    seconds: float


class Limits(View):
    """Jobs at once in each worker process, and what holds over all workers; null: no limit."""

    concurrency: int | None
    per_key: int | None
    per_organisation: int | None
    rate: RateView | None

    @classmethod
    def of(cls, given: Queue | Control) -> Self:
        """Those of a policy, or those that were set by hand."""
        return cls.model_validate(given, from_attributes=True)


class QueueStatus(View):
    """A queue: `effective` is its `policy` with the `override` that was set by hand, if any."""

    name: str
    kinds: list[str]
    attempts: int
    timeout: float = Field(description="seconds an attempt may take")
    sla: float | None = Field(description="seconds")
    policy: Limits
    override: Limits
    effective: Limits
    paused_at: datetime | None
    paused_reason: str | None
    counts: dict[str, int] = Field(description="jobs in each state")
    oldest_due_seconds: float | None = Field(description="since when the oldest due job waits")
    workers: list[str] = Field(description="the live workers that serve it")


class RunningJob(View):
    """A job that a worker runs."""

    id: UUID
    queue: str
    kind: str
    attempt: int
    project_id: UUID | None
    progress: int
    progress_message: str | None
    started_at: datetime


class WorkerStatus(View):
    """A worker process: `running` jobs as it told last, and the first of them by the record."""

    id: str
    alive: bool
    host: str
    pid: int
    queues: list[str]
    running: int
    jobs: list[RunningJob]
    started_at: datetime
    last_seen: datetime
    last_heartbeat: datetime | None


class Overview:
    """Raises RecordUnavailable without Postgres."""

    def __init__(
        self, pool: Pool, controls: QueueControls, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self._pool, self._controls, self._silence = pool, controls, silence_seconds

    async def queues(self, wanted: ByName) -> Page[QueueStatus]:
        """The queues, in the order of the policy table."""
        found = await self._shown(await self._controls.all(), None)
        names = [queue.name for queue in found]
        start = names.index(wanted.cursor) + 1 if wanted.cursor in names else 0
        return page_of(found[start:], wanted.limit, lambda queue: queue.name)

    async def queue(self, name: str) -> QueueStatus:
        """One queue. Raises NotFound."""
        [shown] = await self._shown([await self._controls.get(name)], name)
        return shown

    async def workers(self, wanted: ByName) -> Page[WorkerStatus]:
        """The worker processes, silent ones too until they are forgotten after a day."""
        rows = await fetch(
            self._pool, SQL.workers, self._silence, wanted.cursor, wanted.limit + 1, JOBS_SHOWN
        )
        workers = [WorkerStatus.model_validate(dict(row)) for row in rows]
        return page_of(workers, wanted.limit, lambda worker: worker.id)

    async def _shown(self, queues: Iterable[Controlled], name: str | None) -> list[QueueStatus]:
        counts = await fetch(self._pool, SQL.counts, name)
        serving = await fetch(self._pool, SQL.serving, self._silence)
        return [
            _status(
                queue,
                {row["state"]: row for row in counts if row["queue"] == queue.policy.name},
                [row["id"] for row in serving if queue.policy.name in row["queues"]],
            )
            for queue in queues
        ]


def _status(
    queue: Controlled, counts: Mapping[str, asyncpg.Record], workers: list[str]
) -> QueueStatus:
    policy, control = queue.policy, queue.control
    due = [age for row in counts.values() if (age := row["oldest"]) is not None and age >= 0]
    return QueueStatus(
        name=policy.name,
        kinds=list(policy.kinds),
        attempts=policy.attempts,
        timeout=policy.timeout,
        sla=policy.sla,
        policy=Limits.of(policy),
        override=Limits.of(control),
        effective=Limits.of(queue.effective),
        paused_at=control.paused_at,
        paused_reason=control.paused_reason,
        counts={state.value: counts[state]["jobs"] if state in counts else 0 for state in State},
        oldest_due_seconds=max(due, default=None),
        workers=workers,
    )
