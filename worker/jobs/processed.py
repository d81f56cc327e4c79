"""When a delivery counts as processed: none of its jobs is left to be done, and none is dead."""

from collections.abc import Iterable
from contextlib import suppress

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.errors import RecordUnavailable

SQL = queries.load(__file__)


async def mark_processed(pool: Pool, delivery_ids: Iterable[str | None]) -> None:
    """Mark those deliveries that are done with, now that jobs of theirs have ended.

    Two jobs of a delivery that end at the same moment do not see each other do so: this looks
    again. What an outage leaves unmarked stays so; the jobs themselves have ended.
    """
    ids = sorted({i for i in delivery_ids if i is not None})
    if ids:
        with suppress(RecordUnavailable):
            await fetch(pool, SQL.mark_processed, ids)
