"""Jobs as people see them: camelCase, with the history of their attempts."""

from typing import Any
from uuid import UUID

import asyncpg
from pydantic.alias_generators import to_camel

from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error
from worker.errors import NotFound

SQL = queries.load(__file__)
# The engine's own bookkeeping.
_HIDDEN = {"claim", "rung_at"}


class JobReader:
    """Reads jobs. Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self,
        *,
        queue: str | None = None,
        state: str | None = None,
        project_id: UUID | None = None,
        delivery_id: str | None = None,
        kind: str | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[dict[str, Any]]:
        """Up to `limit` jobs, newest first, older than `before`; without their attempts."""
        rows = await self._fetch(
            SQL.page, queue, state, project_id, delivery_id, kind, before, limit
        )
        return [_shown(r) for r in rows]

    async def get(self, job_id: UUID) -> dict[str, Any]:
        """One job with `attempts`, the history of those that did not complete. Raises NotFound."""
        rows = await self._fetch(SQL.get, job_id)
        if not rows:
            raise NotFound(f"there is no job {job_id}")
        attempts = await self._fetch(SQL.attempts, job_id)
        return _shown(rows[0]) | {"attempts": [_shown(a) for a in attempts]}

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        async with unavailable_as_error():
            return await self._pool.fetch(sql, *arguments)


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    return {to_camel(k): v for k, v in row.items() if k not in _HIDDEN}
