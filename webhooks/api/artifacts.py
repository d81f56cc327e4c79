"""The artifacts of a project, as they stand on one of its branches."""

from typing import Any

import asyncpg
from aiohttp import web

from webhooks.api.requests import Query, page_of, path_id
from webhooks.resources import RESOURCES
from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error

SQL = queries.load(__file__)


async def page(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/artifacts?branch&kind&status`, in order of path.

    Also tells `branch`, `commitSha` and `scannedAt`, which are null before the first scan.
    """
    resources = request.app[RESOURCES]
    query = Query(request, ("branch", "kind", "status"))
    project = await resources.projects.get(path_id(request))
    asked = query.text("branch")
    scans = await _fetch(resources.pool, SQL.branches, project.id, asked)
    if not scans:
        return page_of([], query.limit, branch=asked, commitSha=None, scannedAt=None)
    branch, commit_sha, scanned_at = scans[0]
    rows = await _fetch(
        resources.pool, SQL.page, project.id, branch, query.text("kind"), query.text("status"),
        query.cursor, query.limit + 1,
    )  # fmt: skip
    return page_of(
        [_shown(row) for row in rows], query.limit, "path",
        branch=branch, commitSha=commit_sha, scannedAt=scanned_at,
    )  # fmt: skip


async def _fetch(pool: Pool, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    async with unavailable_as_error():
        return await pool.fetch(sql, *arguments)


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    record: dict[str, Any] = row["record"]
    return record | {"id": row["id"], "path": row["path"], "blobSha": row["blob_sha"]}
