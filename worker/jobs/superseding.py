"""Superseding: of the jobs in a lane only the newest matters, such as the scan of a branch.

Newer is what has the greater `lane_order`. Jobs of equal order are all kept: which of them is the
newest cannot be told from here. Nothing depends on this being done, as an older job that runs all
the same leaves a newer one's result alone.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import NewEvent
from worker.jobs.processed import mark_processed
from worker.jobs.queues import Queue

SQL = queries.load(__file__)
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Superseded:
    """A job that will not run, the one that stands for it, and the event that tells so."""

    id: UUID
    queue: str
    by: UUID
    event: NewEvent | None


class Superseding:
    """Raises RecordUnavailable when Postgres is away.

    Running jobs of queues with `cancel_superseded` are asked to end; those of others run on.
    """

    def __init__(self, pool: Pool, queues: Mapping[str, Queue], cancelling: Cancelling) -> None:
        self._pool = pool
        self._cancelling = cancelling
        self._cancelled = [q.name for q in queues.values() if q.cancel_superseded]

    async def settle(self, lanes: Sequence[str]) -> list[Superseded]:
        """Leave only the newest waiting in each of these lanes; answers what was superseded."""
        names = sorted(set(lanes))
        superseded: list[Superseded] = []
        while rows := await fetch(self._pool, SQL.supersede, names, AT_ONCE):
            await mark_processed(self._pool, (r["unprocessed"] for r in rows))
            superseded += [_superseded(r) for r in rows]
            if len(rows) < AT_ONCE:
                break
        if self._cancelled:
            await self._cancel_running(names)
        return superseded

    async def _cancel_running(self, lanes: Sequence[str]) -> None:
        behind: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for row in await fetch(self._pool, SQL.overtaken, lanes, self._cancelled):
            behind[row["newer"]].append(row["id"])
        for newer, jobs in behind.items():
            await self._cancelling.request(jobs, f"superseded by {newer}")


def _superseded(row: asyncpg.Record) -> Superseded:
    return Superseded(row["id"], row["queue"], row["superseded_by"], _event(row))


def _event(row: asyncpg.Record) -> NewEvent | None:
    if row["event_id"] is None:
        return None
    return NewEvent(
        row["project_id"], row["event"], row["payload"], row["event_id"], row["created_at"]
    )
