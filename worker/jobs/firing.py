"""Firing schedules: each tick becomes a job once, whichever of many processes comes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, encode_json, fetch, unavailable_as_error
from worker.errors import InvalidInput
from worker.jobs.cron import Cron
from worker.jobs.model import NewJob
from worker.jobs.payload_base import Payload
from worker.jobs.queues import Queue
from worker.jobs.rows import columns
from worker.jobs.ticks import due, make_jobs
from worker.jobs.timetable import EDITION, BuiltIn

SQL = queries.load(__file__)
# A process that stands still in the midst of firing holds the schedule's lock no longer than this.
STANDSTILL = "5s"


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of a schedule that was due since `since`.

    Either `ticks` were fired, with the `jobs` of those that nobody had fired before, or a `problem`
    disabled it.
    """

    name: str
    since: datetime
    ticks: Sequence[datetime] = ()
    jobs: Sequence[NewJob] = ()
    problem: str | None = None


class Firing:
    """Fires the schedules for these queues, and for the kinds that have a payload in `models`.

    Time is Postgres's. Every method raises RecordUnavailable when Postgres is away.
    """

    def __init__(
        self, pool: Pool, queues: Mapping[str, Queue], models: Mapping[str, type[Payload]]
    ) -> None:
        self._pool, self._queues, self._models = pool, queues, models

    async def declare(self, built_in: Sequence[BuiltIn], edition: int = EDITION) -> None:
        """Bring the built-in schedules in the record up to date."""
        [row] = await fetch(self._pool, SQL.now)
        ordered = sorted(built_in, key=lambda b: b.name)
        rows = (
            (b.name, b.description, b.queue, b.kind, b.cron, b.missed, encode_json(b.payload),
             b.enabled, next(Cron(b.cron, "UTC").after(row["now"])))
            for b in ordered
        )  # fmt: skip
        await fetch(self._pool, SQL.declare, edition, *columns(rows, 9))
        await fetch(self._pool, SQL.retire, edition, [b.name for b in ordered])

    async def seconds_until_due(self) -> float:
        """How long until the next tick; infinity when there is none to come."""
        [row] = await fetch(self._pool, SQL.seconds_until_due, *self._known)
        return float(row["seconds"])

    async def fire(self, now: datetime | None = None) -> Fired | None:
        """Fire the schedule that has been due for longest; None if none is, or others are at it.

        `now` stands in for Postgres's clock.
        """
        async with (
            unavailable_as_error(),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            await connection.execute(SQL.let_go, STANDSTILL)
            row = await connection.fetchrow(SQL.lock_due, *self._known, now)
            return None if row is None else await self._fire(connection, row)

    @property
    def _known(self) -> tuple[list[str], list[str]]:
        return list(self._queues), list(self._models)

    async def _fire(self, connection: Any, row: asyncpg.Record) -> Fired:
        name, since, queue = row["name"], row["next_tick"], self._queues[row["queue"]]
        try:
            cron = Cron(row["cron"], row["timezone"])
            ticks, following = due(cron, row["missed"], since, row["now"])
            jobs = await make_jobs(connection, row, queue, self._models[row["kind"]], ticks)
        except InvalidInput as error:
            await connection.execute(SQL.disable, name)
            problem = "; ".join(f"{field} {text}" for field, text in error.fields.items())
            return Fired(name, since, problem=problem)
        await connection.execute(SQL.advance, name, following)
        return Fired(name, since, ticks, jobs)
