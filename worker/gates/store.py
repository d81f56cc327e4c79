"""Evaluations of gates in Postgres: begun, waiting for approval, done; and how they are run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.gates.model import Evaluation, GateType

SQL = queries.load(__file__)
ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class GateSettings:
    """How a project's gates are run; None: as the product's defaults say."""

    network: bool = False
    prepare: bool = False
    trusted_senders: Sequence[str] = ()
    seconds: int | None = None
    memory_mb: int | None = None

    def trusts(self, sender: str | None) -> bool:
        """Whether the sender's pushes are run without approval; logins have no case."""
        trusted = {name.lower() for name in self.trusted_senders}
        return ANYBODY in trusted or (sender is not None and sender.lower() in trusted)


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be evaluated, and on whose account."""

    job_id: UUID
    project_id: UUID
    gate_type: GateType
    story: str | None
    branch: str | None
    commit_sha: str
    sender: str | None
    approved_by: str | None


class GateStore:
    """Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def settings(self, project_id: UUID) -> GateSettings:
        """How the project's gates are run."""
        rows = await self._fetch(SQL.settings, project_id)
        return GateSettings(**rows[0]) if rows else GateSettings()

    async def newest(
        self, project_id: UUID, branch: str | None, job_id: UUID
    ) -> tuple[str | None, str] | None:
        """The branch, or the default one, and the commit that was scanned last on it.

        A job that has begun already stays with what it has begun with.
        """
        rows = await self._fetch(SQL.newest, project_id, branch, job_id)
        return (rows[0]["branch"], rows[0]["commit_sha"]) if rows else None

    async def begin(self, run: Run) -> Evaluation | None:
        """Note that it begins. Answers what a former attempt of the job has found, if it did."""
        [row] = await self._fetch(
            SQL.begin, run.job_id, run.project_id, run.gate_type, run.story, run.branch,
            run.commit_sha, run.sender, run.approved_by,
        )  # fmt: skip
        found = row["evaluation"]
        return None if found is None else Evaluation.model_validate(found)

    async def await_approval(self, job_id: UUID) -> None:
        """Nothing is run until somebody approves it: then by another job."""
        await self._fetch(SQL.await_approval, job_id)

    async def record(self, job_id: UUID, evaluation: Evaluation) -> None:
        """Keep the verdict. Recording again changes nothing."""
        document = evaluation.model_dump(mode="json", by_alias=True)
        await self._fetch(SQL.record, job_id, evaluation.verdict, document)

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        return await fetch(self._pool, sql, *arguments)
