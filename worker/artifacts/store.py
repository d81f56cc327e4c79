"""Artifacts in Postgres: every content a document ever had, and what stands on each branch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from worker.artifacts.model import Artifact
from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error

SQL = queries.load(__file__)
FORGOTTEN_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Document:
    """A file of a tree that may be an artifact."""

    path: str
    blob_sha: str


@dataclass(frozen=True, slots=True)
class LastScan:
    """What a branch's artifacts were last read from."""

    commit_sha: str
    tree_sha: str
    parser_version: int
    job_id: UUID
    lane_order: int | None


@dataclass(frozen=True, slots=True)
class Scan:
    """A branch's new state: from `base` (None: everything) by `placed` and `removed`.

    Of two scans the one with the greater `lane_order` is newer; where one has none, the one whose
    job was made later. Of equals the caller knows: `follows` is the job of the one it comes after.
    """

    project_id: UUID
    branch: str
    commit_sha: str
    tree_sha: str
    parser_version: int
    job_id: UUID
    base: str | None
    placed: Sequence[Document]
    removed: Sequence[str]
    lane_order: int | None = None
    follows: UUID | None = None


class BaseMoved(Exception):
    """Another scan of the branch was recorded meanwhile: start from its tree."""


class Outdated(Exception):
    """A newer push of the branch was scanned already; its result stands."""


class ArtifactStore:
    """Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def last_scan(self, project_id: UUID, branch: str) -> LastScan | None:
        """What the branch was last read from, if it ever was."""
        async with unavailable_as_error():
            row = await self._pool.fetchrow(SQL.last_scan, project_id, branch)
        return LastScan(**row) if row else None

    async def known(
        self, project_id: UUID, documents: Sequence[Document], parser_version: int
    ) -> set[Document]:
        """Those of the documents that this parser has read before."""
        paths, shas = [d.path for d in documents], [d.blob_sha for d in documents]
        async with unavailable_as_error():
            rows = await self._pool.fetch(SQL.known, project_id, paths, shas, parser_version)
        return {Document(r["path"], r["blob_sha"]) for r in rows}

    async def keep(
        self,
        project_id: UUID,
        parser_version: int,
        read: Iterable[tuple[Document, Artifact | None]],
    ) -> None:
        """Keep what was read, by project, path and content: keeping it twice changes nothing."""
        rows = [_row(document, artifact) for document, artifact in read]
        if not rows:
            return
        async with unavailable_as_error():
            await self._pool.execute(
                SQL.keep, project_id, parser_version, *(list(c) for c in zip(*rows, strict=True))
            )

    async def save(self, scan: Scan) -> int:
        """Record a branch's new state in one transaction; answers how many artifacts it has.

        Raises BaseMoved or Outdated when another scan of the branch came in between.
        """
        async with (
            unavailable_as_error(),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            await self._check_base(connection, scan)
            await _apply(connection, scan)
            return int(await connection.fetchval(SQL.count, scan.project_id, scan.branch))

    async def forget_unused(self, days: int) -> int:
        """Delete contents that stand on no branch and were read so many days ago; answers how many.

        A document that comes back is read again.
        """
        total, gone = 0, FORGOTTEN_AT_ONCE
        while gone == FORGOTTEN_AT_ONCE:
            async with unavailable_as_error():
                rows = await self._pool.fetch(SQL.forget_unused, days, FORGOTTEN_AT_ONCE)
            gone = len(rows)
            total += gone
        return total

    async def _check_base(self, connection: Any, scan: Scan) -> None:
        await connection.execute(SQL.lock_branch, scan.project_id, scan.branch)
        row = await connection.fetchrow(SQL.lock_scan, scan.project_id, scan.branch)
        if row is not None:
            _check_order(row, scan)
        if scan.base is not None and (row is None or row["tree_sha"] != scan.base):
            raise BaseMoved


async def _apply(connection: Any, scan: Scan) -> None:
    branch = (scan.project_id, scan.branch)
    paths, shas = [d.path for d in scan.placed], [d.blob_sha for d in scan.placed]
    await connection.execute(
        SQL.note_history, *branch, paths, shas, list(scan.removed), scan.commit_sha, scan.job_id,
        scan.base is None,
    )  # fmt: skip
    if scan.base is None:
        await connection.execute(SQL.clear, *branch)
    if scan.removed:
        await connection.execute(SQL.remove, *branch, list(scan.removed))
    if scan.placed:
        await connection.execute(SQL.place, *branch, paths, shas)
    await connection.execute(
        SQL.record_scan, *branch, scan.commit_sha, scan.tree_sha, scan.parser_version, scan.job_id,
        scan.lane_order,
    )  # fmt: skip


def _check_order(recorded: Any, scan: Scan) -> None:
    theirs: Any = recorded["lane_order"]
    ours: Any = scan.lane_order
    if theirs is None or ours is None:
        # Job ids are time-ordered.
        theirs, ours = recorded["job_id"], scan.job_id
    if theirs > ours:
        raise Outdated
    if theirs == ours and recorded["job_id"] not in (scan.job_id, scan.follows):
        raise BaseMoved


def _row(document: Document, artifact: Artifact | None) -> tuple[Any, ...]:
    if artifact is None:
        return (document.path, document.blob_sha, None, None, None, None, None)
    status = artifact.status.normalized if artifact.status else None
    return (
        document.path, document.blob_sha, artifact.kind, artifact.id, artifact.title, status,
        artifact.model_dump_json(by_alias=True),
    )  # fmt: skip
