"""The conflicts of a project, as they stand on one of its branches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from aiohttp import web

from webhooks.api.requests import answer, path_id, query_as
from webhooks.api.routes import Route
from webhooks.github.strict_json import quoted
from webhooks.resources import RESOURCES
from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.errors import NotFound
from worker.jobs.paging import MAX_LIMIT, Cursor, PageQuery, Wanted, page_of
from worker.jobs.views import Page, View

SQL = queries.load(__file__)

Severity = Literal["error", "warning", "info"]
ConflictStatus = Literal["new", "persisting", "resolved", "suppressed"]
OPEN: tuple[ConflictStatus, ...] = ("new", "persisting", "suppressed")


class ConflictBranch(Wanted):
    """On which branch; without one on the default or last compared one."""

    branch: str | None = None


class ConflictQuery(ConflictBranch, PageQuery):
    """Which conflicts to list; without a `status` those that are not resolved."""

    cursor: Cursor | None = None
    status: ConflictStatus | None = None
    severity: Severity | None = None
    code: str | None = None
    path: str | None = None


class Conflict(View):
    """A contradiction, with the words of every side.

    `new` is what the newest compared commit brought, `suppressed` what a document says is right.
    """

    fingerprint: str
    code: str
    name: str
    severity: Severity
    confidence: str
    status: ConflictStatus
    message: str
    expected: str | None
    actual: str | None
    evidence: list[dict[str, Any]]
    fix: dict[str, Any] | None
    suppressed: str | None
    branch: str
    first_seen_commit: str
    first_seen_at: datetime
    last_seen_commit: str
    resolved_commit: str | None
    resolved_at: datetime | None


class ConflictPage(Page[Conflict]):
    """The conflicts of a branch, as of a commit; null before the first comparison."""

    branch: str | None
    commit_sha: str | None
    checked_at: datetime | None


async def page(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/conflicts?branch&status&severity&code&path`, the worst first."""
    resources, query = request.app[RESOURCES], query_as(request, ConflictQuery)
    project = await resources.projects.get(path_id(request))
    checks = await fetch(resources.pool, SQL.branches, project.id, query.branch)
    branch, commit_sha, checked_at = checks[0] if checks else (query.branch, None, None)
    rows = await fetch(
        resources.pool, SQL.page, project.id, branch, query.cursor, query.limit + 1,
        [query.status] if query.status else OPEN, commit_sha, query.severity, query.code,
        query.path, None,
    )  # fmt: skip
    places = {row["fingerprint"]: row["place"] for row in rows}
    found = page_of([_shown(r) for r in rows], query.limit, lambda c: places[c.fingerprint])
    return answer(
        ConflictPage(
            items=found.items,
            next=found.next,
            branch=branch,
            commit_sha=commit_sha,
            checked_at=checked_at,
        )
    )


async def get(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/conflicts/{fingerprint}?branch`, also when it is resolved."""
    resources, wanted = request.app[RESOURCES], query_as(request, ConflictBranch)
    project = await resources.projects.get(path_id(request))
    fingerprint = request.match_info["fingerprint"]
    checks = await fetch(resources.pool, SQL.branches, project.id, wanted.branch)
    found = checks and await _conflicts(
        resources.pool, project.id, checks[0], (*OPEN, "resolved"), fingerprint=plain(fingerprint)
    )
    if not found:
        raise NotFound(f"There is no conflict {quoted(fingerprint)} on that branch.")
    return answer(found[0])


async def open_at(pool: Pool, project_id: UUID, branch: str, path: str) -> list[Conflict]:
    """What is open and has evidence in this document, the worst first; at most 200."""
    checks = await fetch(pool, SQL.branches, project_id, branch)
    return await _conflicts(pool, project_id, checks[0], OPEN, path=path) if checks else []


async def _conflicts(
    pool: Pool,
    project_id: UUID,
    check: asyncpg.Record,
    statuses: Sequence[ConflictStatus],
    *,
    path: str | None = None,
    fingerprint: str | None = None,
) -> list[Conflict]:
    rows = await fetch(
        pool, SQL.page, project_id, check["branch"], None, MAX_LIMIT, statuses, check["commit_sha"],
        None, None, path, fingerprint,
    )  # fmt: skip
    return [_shown(row) for row in rows]


def _shown(row: asyncpg.Record) -> Conflict:
    finding = {"expected": None, "actual": None, "fix": None} | row["finding"]
    own = {name: row[name] for name in Conflict.model_fields if name in row}
    return Conflict(**{**{n: finding[n] for n in _OF_FINDING}, **own})


_OF_FINDING = ("name", "confidence", "message", "expected", "actual", "evidence", "fix")
ROUTES = (
    Route("GET", "/api/projects/{id}/conflicts", page, "The conflicts of a branch", ConflictPage,
          query=ConflictQuery),
    Route("GET", "/api/projects/{id}/conflicts/{fingerprint}", get, "A conflict", Conflict,
          query=ConflictBranch),
)  # fmt: skip
