"""What keeps the record in order: what has to be rung again, is counted, and is deleted."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.queues import Queue

SQL = queries.load(__file__)


class Upkeep:
    """Any number of processes may do this at once. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unrung(self, limit: int) -> list[asyncpg.Record]:
        """Up to so many waiting jobs that are due and were not rung lately.

        The rows have what a ring needs, and `run_at_ms`. For five seconds nobody else gets them.
        """
        return await fetch(self._pool, SQL.pick_unrung, limit)

    async def rang(self, ids: Sequence[UUID]) -> None:
        """Those of the jobs that wait were rung, and need not be again for half a minute."""
        await fetch(self._pool, SQL.rang, list(ids))

    async def abandoned(self, silent_seconds: float, limit: int) -> list[asyncpg.Record]:
        """The same of running jobs whose worker has been silent for so long."""
        return await fetch(self._pool, SQL.pick_abandoned, silent_seconds, limit)

    async def forget_rings(self) -> None:
        """Have every waiting job rung again: Redis has lost its memory."""
        await fetch(self._pool, SQL.forget_rings)

    async def counts(self) -> list[asyncpg.Record]:
        """Jobs by `queue` and `status`, with the age in seconds of the `oldest` due one."""
        return await fetch(self._pool, SQL.counts)

    async def prune(self, queue: Queue) -> None:
        """Delete a queue's ended jobs beyond its retention."""
        for states, keep in (
            (["completed", "superseded", "cancelled"], queue.keep_completed),
            (["dead"], queue.keep_failed),
        ):
            await fetch(self._pool, SQL.prune, queue.name, states, keep.count, keep.age)

    async def prune_events(self) -> None:
        """Delete events that were published long ago."""
        await fetch(self._pool, SQL.prune_events)

    async def forget_silent_workers(self) -> None:
        """Delete workers that were never heard of again."""
        await fetch(self._pool, SQL.forget_silent_workers)
