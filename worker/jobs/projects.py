"""Enrolled repositories."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error
from worker.errors import Conflict, NotFound
from worker.jobs.ids import new_id
from worker.jobs.model import Project

SQL = queries.load(__file__)


class Projects:
    """The projects in the record. Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def enrol(
        self, name: str, repo_url: str, repository: str, plan: str, org_id: str | None
    ) -> Project:
        """Enrol a repository (`owner/name`). Raises Conflict when it is enrolled already."""
        rows = await self._fetch(SQL.create, new_id(), name, repo_url, repository, plan, org_id)
        if not rows:
            raise Conflict(f"{repository} is enrolled already")
        return _project(rows[0])

    async def get(self, project_id: UUID) -> Project:
        """One project. Raises NotFound."""
        rows = await self._fetch(SQL.get, project_id)
        if not rows:
            raise NotFound(f"there is no project {project_id}")
        return _project(rows[0])

    async def page(self, after: UUID | None, limit: int) -> list[Project]:
        """Up to `limit` projects, in order of enrolment, after the given one."""
        return [_project(r) for r in await self._fetch(SQL.page, after, limit)]

    async def matching(self, names: Sequence[str], ids: Sequence[int]) -> list[Project]:
        """The projects with one of these repository names, in any case, or repository ids."""
        rows = await self._fetch(SQL.matching, [n.lower() for n in names], list(ids))
        return [_project(r) for r in rows]

    async def learn(self, seen: Sequence[tuple[UUID, int | None, str | None]]) -> None:
        """Remember repository ids and default branches that pushes told: (project, id, branch)."""
        await self._fetch(SQL.learn, *(list(c) for c in zip(*seen, strict=True)))

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        async with unavailable_as_error():
            return await self._pool.fetch(sql, *arguments)


def _project(row: asyncpg.Record) -> Project:
    return Project(**{**row, "gates": tuple(row.get("gates") or ())})
