"""The record of every job: each transition is one method, fenced by the attempt that it ends.

The starting and finishing of many jobs share one statement each (see Batcher). Methods that end an
attempt answer what the job has become, or None when the attempt no longer owns it: another worker
has taken it over. A job that was to be cancelled becomes `cancelled` whatever was asked for, unless
it completed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.batcher import Batcher
from worker.database.pool import Pool, fetch
from worker.jobs.events import NewEvent
from worker.jobs.finishes import (
    Failure,
    Finish,
    buried,
    cancelled,
    completed,
    finish_arguments,
    released,
    retried,
    snoozed,
)  # fmt: skip
from worker.jobs.model import Attempt, JobResult, NewJob, StartedJob
from worker.jobs.processed import mark_processed
from worker.jobs.rows import add_arguments, started_job
from worker.jobs.states import State

SQL = queries.load(__file__)
_STATES = {s.value: s for s in State}
CRASHES_ALLOWED = 3
# A worker says every four seconds that it lives; this is two signs missed, and before a lease ends.
SILENCE_SECONDS = 11.0
# A value that Postgres cannot store fails its own job, not the others in the statement.
UNSTORABLE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    TypeError,
    ValueError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job id that this worker holds in Redis, and the token that proves it."""

    id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Why not: `gone`, `poison`, `cancelled`, `unknown_kind`, `early` or `alive`."""

    claim: Claim
    reason: str


# To be awaited for what the job has become.
Ending = asyncio.Future[State | None]


class Ledger:
    """Every transition of every job, by one worker. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._pool = pool
        self._silence = silence_seconds
        self._starts = Batcher(self._start_many, max_items=50, max_flushes=2)
        self._finishes: Batcher[Finish, State | None] = Batcher(
            self._finish_many, max_items=500, max_flushes=2, isolate=UNSTORABLE
        )

    async def drain(self) -> None:
        """Wait until nothing is on its way to the record."""
        await self._starts.drain()
        await self._finishes.drain()

    async def add(self, jobs: Sequence[NewJob]) -> set[UUID]:
        """Record jobs as queued; answers the ids that were new."""
        rows = await fetch(self._pool, SQL.add, *add_arguments(jobs))
        return {row["id"] for row in rows}

    async def start(
        self, claims: Sequence[Claim], worker: str, kinds: Sequence[str]
    ) -> list[StartedJob | NotStarted]:
        """Queued, retrying or abandoned → running. One answer for each claim, in order.

        Asking again with the same token, after a lost reply, gives the same attempt again.
        """
        return await self._starts.submit((claims, worker, kinds))

    def complete(self, job: StartedJob, result: JobResult, events: Sequence[NewEvent]) -> Ending:
        """Running → completed."""
        return self._finishes.post(completed(job, result, events))

    def retry_later(
        self, job: StartedJob, failure: Failure, delay: float, events: Sequence[NewEvent]
    ) -> Ending:
        """Running → retrying, with one more failure; due again after `delay` seconds."""
        return self._finishes.post(retried(job, failure, delay, events))

    def bury(self, job: StartedJob, failure: Failure, events: Sequence[NewEvent]) -> Ending:
        """Running → dead: a dead letter, until somebody retries or discards it."""
        return self._finishes.post(buried(job, failure, events))

    def snooze(self, job: StartedJob, delay: float, reason: str) -> Ending:
        """Running → retrying, counting nothing; due again after `delay` seconds."""
        return self._finishes.post(snoozed(job, delay, reason))

    def release(self, job: StartedJob | Attempt, reason: str) -> Ending:
        """Running → queued, counting nothing: this worker does not go on with it."""
        return self._finishes.post(released(job, reason))

    def cancel(self, job: StartedJob, reason: str, events: Sequence[NewEvent]) -> Ending:
        """Running → cancelled."""
        return self._finishes.post(cancelled(job, reason, events))

    async def retry_dead(self, ids: Sequence[UUID]) -> list[asyncpg.Record]:
        """Dead → queued; answers id, queue and priority of those that were dead."""
        return await fetch(self._pool, SQL.retry, list(ids), 0.0, 0.0)

    async def end(self, finishes: Sequence[Finish]) -> list[State | Exception | None]:
        """Many at once; one that the record cannot hold is answered with the error it caused."""
        try:
            return [*await self._finish_many(finishes)]
        except UNSTORABLE as error:
            if len(finishes) == 1:
                return [error]
            return [(await self.end([f]))[0] for f in finishes]

    async def _start_many(
        self, batches: Sequence[tuple[Sequence[Claim], str, Sequence[str]]]
    ) -> list[list[StartedJob | NotStarted]]:
        # An id claimed twice belongs to the later claim: the earlier one's lease had run out.
        latest = {c.id: c for batch, _, _ in batches for c in batch}
        claims = sorted(latest.values(), key=lambda c: c.id)
        worker, kinds = batches[0][1], sorted({k for _, _, known in batches for k in known})
        found = await self._begin(SQL.start, claims, worker, kinds)
        left = [c for c in claims if c.id not in found]
        if left:
            found |= await self._take_over(left, worker, kinds)
        return [
            [_verdict(c, worker, found.get(c.id) if latest[c.id] == c else None) for c in batch]
            for batch, _, _ in batches
        ]

    async def _take_over(
        self, claims: Sequence[Claim], worker: str, kinds: Sequence[str]
    ) -> dict[UUID, asyncpg.Record]:
        rows = await self._begin(
            SQL.take_over, claims, worker, kinds, CRASHES_ALLOWED, self._silence
        )
        cancelled = (r for r in rows.values() if r["verdict"] == "cancelled")
        await mark_processed(self._pool, (r["delivery_id"] for r in cancelled))
        return rows

    async def _begin(
        self, sql: str, claims: Sequence[Claim], *arguments: Any
    ) -> dict[UUID, asyncpg.Record]:
        ids, tokens = [c.id for c in claims], [c.token for c in claims]
        rows = await fetch(self._pool, sql, ids, tokens, *arguments)
        return {row["id"]: row for row in rows}

    async def _finish_many(self, finishes: Sequence[Finish]) -> list[State | None]:
        # Of two attempts at a job in one batch only the newer can own it, and it ends once.
        chosen = {f.job.id: f for f in sorted(finishes, key=lambda f: f.job.attempt)}
        ordered = sorted(chosen.values(), key=lambda f: f.job.id)
        rows = await fetch(self._pool, SQL.finish, *finish_arguments(ordered))
        await mark_processed(self._pool, (r["unprocessed"] for r in rows))
        became = {r["id"]: _STATES[r["state"]] for r in rows}
        return [became.get(f.job.id) if f is chosen[f.job.id] else None for f in finishes]


def _verdict(claim: Claim, worker: str, row: asyncpg.Record | None) -> StartedJob | NotStarted:
    if row is None:
        return NotStarted(claim, "gone")
    if row["verdict"] != "started":
        return NotStarted(claim, row["verdict"])
    return started_job(row, claim.token, worker)
