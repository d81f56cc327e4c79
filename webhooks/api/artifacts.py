"""The artifacts of a project, as they stand on one of its branches."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import Field

from webhooks.api.conflicts import Conflict, open_at
from webhooks.api.requests import answer, path_id, query_as
from webhooks.api.routes import Route
from webhooks.github.strict_json import quoted
from webhooks.resources import RESOURCES
from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.errors import NotFound
from worker.jobs.gate_views import GateVerdict
from worker.jobs.paging import Cursor, PageQuery, Wanted, page_of
from worker.jobs.payloads import GateType
from worker.jobs.views import Page, View

SQL = queries.load(__file__)
HISTORY_SHOWN = 200


class BranchQuery(Wanted):
    """On which branch; without one on the default or last scanned one."""

    branch: str | None = None


class ArtifactQuery(BranchQuery, PageQuery):
    """Which artifacts to list: those that fit all that is given."""

    cursor: Cursor | None = None
    kind: str | None = None
    subtype: str | None = None
    status: Annotated[str | None, Field(description="the normalised one")] = None
    epic: str | None = None
    story: str | None = None
    path_prefix: str | None = None
    text: Annotated[
        str | None, Field(max_length=200, description="a part of the id, the title or the path")
    ] = None


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


class Edition(View):
    """What a document was from a scanned commit on; `blobSha` is null where it was removed.

    Title and status are null too where that content is not kept any more.
    """

    path: str
    blob_sha: str | None
    commit_sha: str
    scanned_at: datetime
    title: str | None
    status: str | None


class StoryGate(View):
    """How the newest evaluation of a gate ended for a story."""

    job_id: UUID
    gate_type: GateType
    verdict: GateVerdict
    reason: str | None
    commit_sha: str
    branch: str | None
    finished_at: datetime


class ArtifactWithHistory(View):
    """An artifact on a branch, and what is known about it: editions and open conflicts.

    `alsoAt` are further documents with the same id; `gates` are those of a story.
    """

    branch: str
    commit_sha: str
    scanned_at: datetime
    artifact: Artifact
    also_at: list[str]
    history: list[Edition]
    conflicts: list[Conflict]
    gates: list[StoryGate]


async def page(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/artifacts?branch&kind&status…`, in order of path.

    Also tells `branch`, `commitSha` and `scannedAt`, which are null before the first scan.
    """
    resources = request.app[RESOURCES]
    query = query_as(request, ArtifactQuery)
    project = await resources.projects.get(path_id(request))
    scans = await fetch(resources.pool, SQL.branches, project.id, query.branch)
    branch, commit_sha, scanned_at = scans[0] if scans else (query.branch, None, None)
    rows = await fetch(
        resources.pool, SQL.page, project.id, branch, query.cursor, query.limit + 1, query.kind,
        query.status, query.subtype, query.epic, query.story, query.path_prefix, query.text,
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


async def get(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/artifacts/{kind}/{artifactId}?branch`; the id may be a path."""
    resources, wanted = request.app[RESOURCES], query_as(request, BranchQuery)
    project = await resources.projects.get(path_id(request))
    scans = await fetch(resources.pool, SQL.branches, project.id, wanted.branch)
    kind, name = request.match_info["kind"], request.match_info["artifactId"]
    rows = scans and await fetch(
        resources.pool, SQL.standing, project.id, scans[0]["branch"], plain(kind), plain(name)
    )
    if not rows:
        raise NotFound(f"There is no {quoted(kind)} {quoted(name)} on that branch.")
    return answer(await _with_history(resources.pool, project.id, scans[0], rows))


async def _with_history(
    pool: Pool, project_id: UUID, scan: asyncpg.Record, rows: list[asyncpg.Record]
) -> ArtifactWithHistory:
    branch, [row, *others] = scan["branch"], rows
    kind, story = row["record"]["kind"], row["record"].get("story")
    editions = await fetch(pool, SQL.history, project_id, branch, kind, row["id"], HISTORY_SHOWN)
    gates = await fetch(pool, SQL.gates, project_id, story) if kind == "story" else []
    return ArtifactWithHistory(
        **scan,
        artifact=_shown(row),
        also_at=[other["path"] for other in others],
        history=[Edition(**edition) for edition in editions],
        conflicts=await open_at(pool, project_id, branch, row["path"]),
        gates=[StoryGate(**gate) for gate in gates],
    )


def _shown(row: asyncpg.Record) -> Artifact:
    own = {"id": row["id"], "path": row["path"], "blob_sha": row["blob_sha"]}
    return Artifact(**{**row["record"], **own})


ROUTES = (
    Route("GET", "/api/projects/{id}/artifacts", page, "The artifacts of a branch", ArtifactPage,
          query=ArtifactQuery),
    Route("GET", "/api/projects/{id}/artifacts/{kind}/{artifactId}", get,
          "An artifact with its history, conflicts and gates", ArtifactWithHistory,
          query=BranchQuery),
)  # fmt: skip
