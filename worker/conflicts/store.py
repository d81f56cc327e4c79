"""Conflicts in Postgres: what was compared on each branch, what was found, and since when."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from worker.artifacts.model import Artifact
from worker.conflicts.base import OwnVerdict
from worker.conflicts.model import Finding
from worker.database import queries
from worker.database.pool import Pool, encode_json, unavailable_as_error

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Base:
    """What a branch's documents were last compared at, and by which job and versions."""

    tree_sha: str
    job_id: UUID
    parser_version: int
    rules_version: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a branch was last scanned at; `base` is None before its documents were compared."""

    branch: str
    commit_sha: str
    tree_sha: str
    parser_version: int
    base: Base | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A document that differs from when it was last compared.

    `blob_sha` is None if it is gone, `artifact` if it is gone or is none, `keys` its groups then.
    """

    path: str
    blob_sha: str | None
    artifact: Artifact | None
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """A comparison to be recorded: `keys` are the groups that were compared (None: all).

    `documents` are (path, blob, groups) of what changed, `gone` the paths that went.
    """

    project_id: UUID
    branch: str
    commit_sha: str
    tree_sha: str
    parser_version: int
    rules_version: int
    job_id: UUID
    base: Base | None
    keys: Collection[str] | None
    documents: Sequence[tuple[str, str, Sequence[str]]]
    gone: Sequence[str]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many conflicts are open and not suppressed, by severity; `new` of them by one job."""

    by_severity: Mapping[str, int]
    new: int

    @property
    def persisting(self) -> int:
        """Those that were open before."""
        return sum(self.by_severity.values()) - self.new


class BaseMoved(Exception):
    """Another comparison of the branch was recorded meanwhile: start from that."""


class ConflictStore:
    """Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def standing(self, project_id: UUID, branch: str | None) -> Standing | None:
        """What a branch, or the project's main one, was last scanned and compared at."""
        rows = await self._fetch(SQL.scanned, project_id, branch)
        return _standing(rows[0]) if rows else None

    async def everything(self, project_id: UUID, branch: str) -> list[Changed]:
        """All documents of a branch, as if none had been compared before."""
        rows = await self._fetch(SQL.everything, project_id, branch)
        return [Changed(r["path"], r["blob_sha"], _artifact(r["record"]), ()) for r in rows]

    async def changed(self, project_id: UUID, branch: str) -> list[Changed]:
        """The documents that differ from those last compared."""
        rows = await self._fetch(SQL.changed, project_id, branch)
        return [
            Changed(r["path"], r["blob_sha"], _artifact(r["record"]), r["keys"] or ()) for r in rows
        ]

    async def members(
        self, project_id: UUID, branch: str, keys: Collection[str], but_for: Collection[str]
    ) -> list[Artifact]:
        """The artifacts compared before in one of these groups, but for some paths."""
        rows = await self._fetch(SQL.members, project_id, branch, list(keys), list(but_for))
        return [Artifact.model_validate_json(r["record"]) for r in rows]

    async def keys_of(self, project_id: UUID, branch: str, ids: Collection[str]) -> set[str]:
        """The groups of the artifacts with these identifiers."""
        rows = await self._fetch(SQL.keys_of, project_id, branch, list(ids))
        return {key for row in rows for key in row["keys"]}

    async def verdicts(
        self, project_id: UUID, stories: Collection[str] | None = None
    ) -> Mapping[str, Sequence[OwnVerdict]]:
        """By story, the newest verdict of each of its gates; of all stories if none are named."""
        if stories is None:
            rows = await self._fetch(SQL.judged_stories, project_id)
            stories = [row["story"] for row in rows]
        found: defaultdict[str, list[OwnVerdict]] = defaultdict(list)
        for row in await self._fetch(SQL.verdicts, project_id, list(stories)):
            at = row["finished_at"].isoformat()
            verdict = OwnVerdict(row["gate_type"], row["verdict"], row["commit_sha"], at)
            found[row["story"]].append(verdict)
        return found

    async def save(self, checked: Checked) -> int:
        """Record a comparison in one transaction; answers how many conflicts it resolved.

        Raises BaseMoved when another comparison of the branch came in between.
        """
        async with (
            unavailable_as_error(),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            await _check_base(connection, checked)
            return await _record(connection, checked)

    async def counts(self, project_id: UUID, branch: str, job_id: UUID) -> Counts:
        """How many conflicts a branch has, and how many of them this job found."""
        rows = await self._fetch(SQL.counts, project_id, branch, job_id)
        return Counts({r["severity"]: r["open"] for r in rows}, sum(r["fresh"] for r in rows))

    async def fresh(self, project_id: UUID, branch: str, job_id: UUID, limit: int) -> list[Finding]:
        """The errors and warnings that this job found, the worst first."""
        rows = await self._fetch(SQL.fresh, project_id, branch, job_id, limit)
        return [Finding.model_validate_json(r["finding"]) for r in rows]

    async def _fetch(self, sql: str, *arguments: Any) -> list[Any]:
        async with unavailable_as_error():
            return list(await self._pool.fetch(sql, *arguments))


async def _check_base(connection: Any, checked: Checked) -> None:
    await connection.execute(SQL.lock_branch, checked.project_id, checked.branch)
    row = await connection.fetchrow(SQL.base, checked.project_id, checked.branch)
    stands = (row["tree_sha"], row["job_id"]) if row else None
    expected = (checked.base.tree_sha, checked.base.job_id) if checked.base else None
    if stands != expected:
        raise BaseMoved


async def _record(connection: Any, checked: Checked) -> int:
    branch = (checked.project_id, checked.branch)
    await connection.execute(
        SQL.record_check, *branch, checked.commit_sha, checked.tree_sha, checked.parser_version,
        checked.rules_version, checked.job_id,
    )  # fmt: skip
    everything = checked.keys is None
    await connection.execute(SQL.forget_checked, *branch, list(checked.gone), everything)
    documents = [(path, blob, encode_json(list(keys))) for path, blob, keys in checked.documents]
    await connection.execute(SQL.note_checked, *branch, *_columns(documents, 3))
    return await _record_findings(connection, checked)


async def _record_findings(connection: Any, checked: Checked) -> int:
    branch = (checked.project_id, checked.branch)
    keys = None if checked.keys is None else list(checked.keys)
    found = [f.fingerprint for f in checked.findings]
    resolved = await connection.fetch(SQL.resolve, *branch, keys, found, checked.commit_sha)
    rows = (
        (f.fingerprint, f.code, f.severity, f.key, f.model_dump_json(), f.suppressed)
        for f in checked.findings
    )
    await connection.execute(
        SQL.keep, *branch, checked.commit_sha, checked.job_id, *_columns(rows, 6)
    )
    return len(resolved)


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _standing(row: Any) -> Standing:
    base = None
    if row["checked_tree"] is not None:
        base = Base(
            row["checked_tree"], row["checked_by"], row["checked_parser"], row["rules_version"]
        )
    return Standing(row["branch"], row["commit_sha"], row["tree_sha"], row["parser_version"], base)


def _artifact(record: str | None) -> Artifact | None:
    return None if record is None else Artifact.model_validate_json(record)
