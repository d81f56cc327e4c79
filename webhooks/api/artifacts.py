"""The artifacts of a project, as they stand on one of its branches."""

from datetime import datetime
from typing import Any

import asyncpg
from aiohttp import web

from webhooks.api.requests import answer, path_id, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error
from worker.jobs.paging import Cursor, PageQuery, page_of
from worker.jobs.views import Page, View

SQL = queries.load(__file__)


class ArtifactQuery(PageQuery):
    """Which artifacts to list; without a `branch` those of the default or last scanned one."""

    cursor: Cursor | None = None
    branch: str | None = None
    kind: str | None = None
    status: str | None = None


class Artifact(View, extra="allow"):
    """A story, epic, decision or gate, with all that was read of it."""

    id: str | None
    path: str
    blob_sha: str


class ArtifactPage(Page[Artifact]):
    """The artifacts of a branch, as they stood at a commit; null before the first scan."""

    branch: str | None
    commit_sha: str | None
    scanned_at: datetime | None


async def page(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/artifacts?branch&kind&status`, in order of path.

    Also tells `branch`, `commitSha` and `scannedAt`, which are null before the first scan.
    """
    resources = request.app[RESOURCES]
    query = query_as(request, ArtifactQuery)
    project = await resources.projects.get(path_id(request))
    scans = await _fetch(resources.pool, SQL.branches, project.id, query.branch)
    branch, commit_sha, scanned_at = scans[0] if scans else (query.branch, None, None)
    rows = await _fetch(
        resources.pool, SQL.page, project.id, branch, query.kind, query.status,
        query.cursor, query.limit + 1,
    )  # fmt: skip
    found = page_of([_shown(row) for row in rows], query.limit, lambda artifact: artifact.path)
    return answer(
        ArtifactPage(
            items=found.items,
            next=found.next,
            branch=branch,
            commit_sha=commit_sha,
            scanned_at=scanned_at,
        )
    )


async def _fetch(pool: Pool, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    async with unavailable_as_error():
        return await pool.fetch(sql, *arguments)


def _shown(row: asyncpg.Record) -> Artifact:
    own = {"id": row["id"], "path": row["path"], "blob_sha": row["blob_sha"]}
    return Artifact(**{**row["record"], **own})


ROUTES = (
    Route("GET", "/api/projects/{id}/artifacts", page, "The artifacts of a branch", ArtifactPage,
          query=ArtifactQuery),
)  # fmt: skip
