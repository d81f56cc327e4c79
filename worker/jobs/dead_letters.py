"""Dead letters: jobs that failed for good, until somebody retries or discards them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, atomically, fetch
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.enqueueing import Ringing
from worker.jobs.ledger import SQL as LEDGER_SQL
from worker.jobs.names import KindName, QueueName, Time, moment_and_id
from worker.jobs.paging import PageQuery, Wanted, cursor_as, page_of
from worker.jobs.ring import Ring
from worker.jobs.views import DeadLetter, Page, View

SQL = queries.load(__file__)
# Short statements: other requests of this process get their turn between them.
CHUNK = 500


class DeadLetterFilter(Wanted):
    """Which dead letters: those that fit all that is given.

    `errorType` is that of the last attempt; `error` is a text that the error contains.
    """

    queue: QueueName | None = None
    kind: KindName | None = None
    project_id: UUID | None = None
    org_id: str | None = None
    error_type: str | None = None
    error: str | None = None
    dead_after: Time | None = None
    dead_before: Time | None = None

    def arguments(self) -> list[Any]:
        """As `pick` takes them."""
        return [self.queue, self.kind, self.project_id, self.org_id, self.error,
                self.dead_after, self.dead_before, self.error_type]  # fmt: skip

    @property
    def is_empty(self) -> bool:
        """Whether every dead letter fits."""
        return not any(argument is not None for argument in self.arguments())


_MOMENT = cursor_as(moment_and_id)


class DeadLetterQuery(DeadLetterFilter, PageQuery):
    """A page of dead letters, the latest first."""

    cursor: Annotated[tuple[datetime, UUID], _MOMENT[0], _MOMENT[1]] | None = None


class ManyDeadLetters(DeadLetterFilter):
    """Dead letters to act on. Without any filter it has to be said that `all` are meant."""

    all: Annotated[bool, Field(strict=True)] = False


class RetryMany(ManyDeadLetters):
    """Dead letters to retry, oldest first, at most so many a second."""

    rate_per_second: (
        Annotated[float, Field(strict=True, ge=0.001, le=100_000, allow_inf_nan=False)] | None
    ) = None


class Retried(View):
    """How many jobs wait again, and when the last of them is due."""

    retried: int
    last_due_at: datetime | None


class Discarded(View):
    """How many jobs were deleted."""

    discarded: int


class DeadLetters:
    """Nothing here touches a job that is not dead. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool, ringer: Ringing) -> None:
        self._pool, self._ringer = pool, ringer

    async def page(self, wanted: DeadLetterQuery) -> Page[DeadLetter]:
        """A page of dead letters, the latest first."""
        before = wanted.cursor or (None, None)
        rows = await fetch(self._pool, SQL.pick, *wanted.arguments(), *before, wanted.limit + 1)
        picked = page_of(rows, wanted.limit, lambda row: f"{row['finished_at']} {row['id']}")
        shown = await fetch(self._pool, SQL.show, [row["id"] for row in picked.items])
        letters = [DeadLetter.model_validate(dict(row)) for row in shown]
        return Page(items=letters, next=picked.next)

    async def retry(self, job_id: UUID) -> Retried:
        """Have one job wait again. Raises NotFound and Conflict."""
        done = await self._retry([job_id], None)
        if not done.retried:
            await self._explain(job_id)
        return done

    async def retry_many(self, wanted: RetryMany) -> Retried:
        """Have them wait again, all or none, oldest first and spaced by the rate.

        The times are recorded, so that the rate is kept whatever stops or starts meanwhile.
        """
        return await self._retry(await self._pick(wanted), wanted.rate_per_second)

    async def discard(self, job_id: UUID) -> Discarded:
        """Delete one job with its attempts. Raises NotFound and Conflict."""
        done = await self._discard([job_id])
        if not done.discarded:
            await self._explain(job_id)
        return done

    async def discard_many(self, wanted: ManyDeadLetters) -> Discarded:
        """Delete them, all or none; a delivery whose last job goes is closed."""
        return await self._discard(await self._pick(wanted))

    async def _explain(self, job_id: UUID) -> None:
        rows = await fetch(self._pool, SQL.state, job_id)
        if not rows:
            raise NotFound(f"there is no job {job_id}")
        raise Conflict(f"job {job_id} is {rows[0]['state']}, and not dead")

    async def _pick(self, wanted: ManyDeadLetters) -> list[UUID]:
        if wanted.is_empty and not wanted.all:
            raise InvalidInput("This would be every dead letter.", {"all": "say so, or filter"})
        rows = await fetch(self._pool, SQL.pick, *wanted.arguments(), None, None, None)
        return [row["id"] for row in reversed(rows)]

    async def _retry(self, ids: Sequence[UUID], rate: float | None) -> Retried:
        spacing = 1 / rate if rate else 0.0

        async def work(connection: Any) -> tuple[list[Ring], list[datetime]]:
            rings: list[Ring] = []
            due: list[datetime] = []
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                rows = await connection.fetch(LEDGER_SQL.retry, chunk, start * spacing, spacing)
                rings += [Ring.of_row(row, _due_ms(row, rate)) for row in rows]
                due += [row["run_at"] for row in rows]
            return rings, due

        rings, due = await atomically(self._pool, work)
        self._ringer.ring(rings)
        return Retried(retried=len(rings), last_due_at=max(due, default=None))

    async def _discard(self, ids: Sequence[UUID]) -> Discarded:
        async def work(connection: Any) -> int:
            gone = 0
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                held = await connection.fetch(SQL.lock_deliveries, chunk)
                gone += len(await connection.fetch(SQL.discard, chunk))
                await connection.execute(SQL.close_deliveries, [r["delivery_id"] for r in held])
            return gone

        return Discarded(discarded=await atomically(self._pool, work))


def _due_ms(row: asyncpg.Record, rate: float | None) -> float:
    due: datetime = row["run_at"]
    return due.timestamp() * 1000 if rate else 0.0
