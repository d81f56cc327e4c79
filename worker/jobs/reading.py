"""Jobs as people see them, with the history of their attempts."""

from typing import Any
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error
from worker.errors import NotFound
from worker.jobs.names import KindName, QueueName, Time
from worker.jobs.paging import ById, page_of
from worker.jobs.states import State
from worker.jobs.views import Attempt, Job, JobWithAttempts, Page

SQL = queries.load(__file__)


class JobQuery(ById):
    """Which jobs to list: those that fit all that is given."""

    queue: QueueName | None = None
    state: State | None = None
    kind: KindName | None = None
    project_id: UUID | None = None
    org_id: str | None = None
    delivery_id: str | None = None
    created_after: Time | None = None
    created_before: Time | None = None


class JobReader:
    """Reads jobs. Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, wanted: JobQuery) -> Page[Job]:
        """A page of jobs, newest first; without their attempts."""
        rows = await self._fetch(
            SQL.page, wanted.queue, wanted.state, wanted.project_id, wanted.delivery_id,
            wanted.kind, wanted.org_id, wanted.created_after, wanted.created_before,
            wanted.cursor, wanted.limit + 1,
        )  # fmt: skip
        return page_of([Job(**row) for row in rows], wanted.limit, lambda job: job.id)

    async def get(self, job_id: UUID) -> JobWithAttempts:
        """One job. Raises NotFound."""
        rows = await self._fetch(SQL.get, job_id)
        if not rows:
            raise NotFound(f"there is no job {job_id}")
        attempts = await self._fetch(SQL.attempts, job_id)
        return JobWithAttempts(**rows[0], attempts=[Attempt(**a) for a in attempts])

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        async with unavailable_as_error():
            return await self._pool.fetch(sql, *arguments)
