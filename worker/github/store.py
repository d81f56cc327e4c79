"""Reports to GitHub in Postgres: what is to be shown, what was sent, and who is sending."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.errors import PermanentError
from worker.github.errors import Limited
from worker.github.record import CONFLICTS, Claim, Conflict, Conflicts, Gate, Job, Place

SQL = queries.load(__file__)
# Longer than an attempt at sending may take: only a lost worker's claim lapses.
CLAIM_SECONDS = 90
AT_ONCE = 1000


class BeingSent(Exception):
    """Somebody else is sending the report at this moment."""


class ReportStore:
    """Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, place: Place, job_id: UUID) -> bool:
        """From now on the report shows this job; False if a later job has begun already."""
        return bool(await fetch(self._pool, SQL.begin, *_key(place), job_id))

    async def claim(self, place: Place, job_id: UUID, attempt: int) -> Claim | None:
        """The right to send a report, for an attempt of a job; None if there is no such report.

        Raises BeingSent.
        """
        sender = f"{job_id}:{attempt}"
        rows = await fetch(self._pool, SQL.claim, *_key(place), sender, str(job_id), CLAIM_SECONDS)
        if not rows:
            return None
        [row] = rows
        if not row["claimed"]:
            raise BeingSent
        return _claim(place, sender, row, await self._conflicts(place, row))

    async def created(self, claim: Claim, check_run_id: int) -> None:
        """Remember a check run at once."""
        await fetch(self._pool, SQL.created, *_key(claim.place), check_run_id, claim.sender)

    async def sent(self, claim: Claim, check_run_id: int | None, state: str, digest: str) -> None:
        """Remember what GitHub shows now, unless the claim has passed to somebody else."""
        arguments = (claim.sender, claim.round, check_run_id, state, digest)
        await fetch(self._pool, SQL.sent, *_key(claim.place), *arguments)

    @asynccontextmanager
    async def sending(self, claim: Claim) -> AsyncIterator[None]:
        """Give the claim up when an error ends the block; what was sent until then is not known.

        One that no other attempt can mend settles the report until the next job begins it.
        """
        try:
            yield
        except Limited:
            await self.release(claim)
            raise
        except PermanentError as error:
            await self.release(claim, error.message, settled="refused")
            raise
        except BaseException as error:
            await self.release(claim, str(error) or type(error).__name__)
            raise

    async def release(
        self, claim: Claim, problem: str | None = None, settled: str | None = None
    ) -> None:
        """Give the claim up, and say why; with `settled` it is not tried again."""
        await self._give_up(claim, False, problem, settled)

    async def unchanged(self, claim: Claim) -> None:
        """Give the claim up: GitHub shows what it should."""
        await self._give_up(claim, not claim.uncertain, None, None)

    async def unconfigured(self, claim: Claim, problem: str) -> None:
        """Give the claim up: nobody can be told."""
        await self._give_up(claim, not claim.uncertain, problem, "unconfigured")

    async def overdue(self, limit: int) -> list[tuple[Place, str]]:
        """Reports that lag behind their job's end, and a text that changes with each sweep."""
        rows = await fetch(self._pool, SQL.overdue, limit)
        return [(_place(r), f"{r['swept_with']}:{r['updated_at'].isoformat()}") for r in rows]

    async def swept(self, place: Place, job_id: UUID) -> None:
        """Remember which job is to bring the report up to date."""
        await fetch(self._pool, SQL.swept, *_key(place), job_id)

    async def forget(self, days: int) -> int:
        """Delete reports so old; answers how many."""
        total, gone = 0, AT_ONCE
        while gone == AT_ONCE:
            gone = len(await fetch(self._pool, SQL.forget, days, AT_ONCE))
            total += gone
        return total

    async def _give_up(
        self, claim: Claim, known: bool, problem: str | None, settled: str | None
    ) -> None:
        text = None if problem is None else plain(problem)
        arguments = (claim.sender, known, text, settled)
        await fetch(self._pool, SQL.release, *_key(claim.place), *arguments)

    async def _conflicts(self, place: Place, row: Any) -> Conflicts | None:
        if place.name != CONFLICTS:
            return None
        job_id = row["job_id"]
        if row["branch"] is not None:
            found = await fetch(
                self._pool, SQL.conflicts, place.project_id, row["branch"], place.commit_sha, job_id
            )
            return Conflicts(bool(row["own"]), True, row["branch"], _found(found))
        # The branch went on, and stands for another commit.
        if row["state"] not in ("completed", None):
            return None
        since = await fetch(
            self._pool, SQL.conflicts_since, place.project_id, place.commit_sha, job_id
        )
        found_since = [Conflict(r["finding"], True) for r in since]
        return Conflicts(False, False, row["asked_branch"], found_since)


def _place(row: Any) -> Place:
    return Place(row["project_id"], row["commit_sha"], row["name"])


def _key(place: Place) -> tuple[UUID, str, str]:
    return place.project_id, place.commit_sha, place.name


def _found(rows: Sequence[Any]) -> list[Conflict]:
    return [Conflict(r["finding"], r["new"]) for r in rows]


def _claim(place: Place, sender: str, row: Any, conflicts: Conflicts | None) -> Claim:
    job = Job(row["state"], row["error"], row["message"], row["failures"] or 0, row["started_at"])
    gate = None
    if row["gate_state"] is not None:
        evaluation = row["evaluation"] or {}
        gate = Gate(row["gate_state"], row["verdict"], evaluation, row["pushed_by"])
    return Claim(
        place, sender, row["job_id"], row["round"], row["check_run_id"], row["sent_state"],
        row["sent_digest"],
        row["uncertain"], job, gate, conflicts,
    )  # fmt: skip
