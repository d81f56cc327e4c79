"""A worker in the record: that it is alive, what it runs there, and what it has to obey."""

import asyncio
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, fetch, unavailable_as_error
from worker.jobs.queue_controls import Control

SQL = queries.load(__file__)
# A record that takes longer to say what is to be obeyed is as good as away.
ORDERS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ToCancel:
    """An attempt of this worker that somebody wants to end."""

    queue: str
    job_id: UUID
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Orders:
    """What operators want of a worker: the queues' controls by name, and attempts to be ended."""

    controls: dict[str, Control]
    to_cancel: list[ToCancel]


class Presence:
    """One worker. Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool, worker_id: str, kinds: Collection[str] = ()) -> None:
        self._pool = pool
        self._id = worker_id
        self._kinds = kinds

    async def renew(self, queues: Collection[str], running: int) -> None:
        """Say that the worker is alive, what it can run, and how many jobs it holds."""
        place = socket.gethostname(), os.getpid()
        await fetch(self._pool, SQL.beat, self._id, *place, [*queues], running, [*self._kinds])

    async def stamp_heartbeat(self) -> None:
        """Record the time of the 30-second heartbeat."""
        await fetch(self._pool, SQL.stamp_heartbeat, self._id)

    async def held(self) -> list[asyncpg.Record]:
        """The attempts that the record says it runs: id, attempt, and what a ring needs."""
        return await fetch(self._pool, SQL.held, self._id)

    async def leave(self) -> None:
        """Take the worker off the list; what it left running is abandoned at once."""
        await fetch(self._pool, SQL.farewell, self._id)

    async def orders(self) -> Orders:
        """What the worker has to obey."""
        async with unavailable_as_error(), asyncio.timeout(ORDERS_SECONDS):
            rows = await fetch(self._pool, SQL.orders, self._id)
        return Orders(
            {r["queue"]: Control.of_row(r) for r in rows if r["job_id"] is None},
            [_to_cancel(r) for r in rows if r["job_id"] is not None],
        )


def _to_cancel(row: asyncpg.Record) -> ToCancel:
    return ToCancel(row["queue"], row["job_id"], row["attempt"], row["reason"])
