"""Deleting what is old, a little at a time, so that no statement holds up the others."""

from collections.abc import Sequence

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.dead_letters import DeadLetters, ManyDeadLetters
from worker.jobs.ring import Ring

SQL = queries.load(__file__)
AT_ONCE = 1000


class Housekeeping:
    """Each method answers how many it deleted. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._dead_letters = DeadLetters(pool, _NothingToRing())

    async def delete_dead_letters(self, days: int) -> int:
        """Jobs that died so many days ago, with their attempts; their deliveries are closed."""
        [row] = await fetch(self._pool, SQL.ago, days)
        done = await self._dead_letters.discard_many(ManyDeadLetters(dead_before=row["moment"]))
        return done.discarded

    async def delete_deliveries(self, days: int) -> int:
        """Deliveries so old, with their bodies, unless a job of theirs is dead or not ended yet."""
        return await self._in_chunks(SQL.delete_deliveries, days)

    async def delete_ticks(self, days: int) -> int:
        """Ticks so old, apart from the latest of each schedule."""
        return await self._in_chunks(SQL.delete_ticks, days)

    async def _in_chunks(self, sql: str, days: int) -> int:
        total, gone = 0, AT_ONCE
        while gone == AT_ONCE:
            gone = len(await fetch(self._pool, sql, days, AT_ONCE))
            total += gone
        return total


class _NothingToRing:
    def ring(self, rings: Sequence[Ring]) -> None:
        """What is discarded rings nobody."""
