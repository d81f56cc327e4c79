"""Summing usage up over all organisations, by the hours and days of UTC.

An organisation's hour that lies across two of UTC counts where it begins.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.tenants.periods.calendar import Period, period_of

SQL = queries.load(__file__)
LATE = timedelta(hours=48)
_UTC = ZoneInfo("UTC")


class Summaries:
    """Sums over all organisations. Every method raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def sum_up(self, kind: Literal["hour", "day"], now: datetime | None = None) -> int:
        """Sum up the hour or day that ended last by `now`, and mend those before it.

        Those are the ones of the last 48 hours, where something may have arrived late, and any
        after the last that was summed up. Without `now` it is Postgres's time. Answers how many
        sums were new or changed.
        """
        if now is None:
            [(now,)] = await fetch(self._pool, SQL.clock)
        [row] = await fetch(self._pool, SQL.last, kind)
        since = now.astimezone(UTC) - LATE
        begin = since if row["period_start"] is None else min(since, row["period_start"])
        changed = 0
        for period in _ended(kind, begin, now):
            changed += len(await fetch(self._pool, SQL.sum_up, kind, period.start, period.end))
        return changed


def _ended(kind: Literal["hour", "day"], begin: datetime, now: datetime) -> Iterator[Period]:
    """The periods from the one that `begin` is in up to the last that has ended by `now`."""
    period = period_of(kind, begin, _UTC)
    while period.end <= now:
        yield period
        period = period_of(kind, period.end, _UTC)
