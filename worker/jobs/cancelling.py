"""Cancelling jobs: waiting ones at once, running ones by asking their worker."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.errors import Conflict, NotFound, RecordUnavailable
from worker.jobs.events import NewEvent, Publisher
from worker.jobs.processed import mark_processed
from worker.jobs.ring import Bell
from worker.jobs.signals import SECONDS, cancel_message, signal
from worker.jobs.states import WAITING, State

log = structlog.get_logger(__name__)

SQL = queries.load(__file__)
NO_REASON = "cancelled by request"


class Cancelling:
    """Cancels jobs. Raises RecordUnavailable without Postgres; without Redis it only takes longer.

    A job that was asked to end while it runs becomes `cancelled` in any case, unless it completes
    first: when its handler ends, when its worker is lost, or when it would be retried.
    """

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis
        self._bell = Bell(redis)
        self._publisher = Publisher(pool, redis)

    async def cancel(self, job_id: UUID, reason: str = NO_REASON) -> State:
        """Cancel one job; answers `cancelled`, or `running` when it was asked to end.

        Raises NotFound, or Conflict for a job that has ended.
        """
        before = await self.request([job_id], reason)
        if job_id not in before:
            raise NotFound(f"there is no job {job_id}")
        if before[job_id] in WAITING:
            return State.CANCELLED
        if before[job_id] is State.RUNNING:
            return State.RUNNING
        raise Conflict(f"job {job_id} is {before[job_id]} already: there is nothing to cancel")

    async def request(self, ids: Sequence[UUID], reason: str = NO_REASON) -> dict[UUID, State]:
        """Cancel many; answers the state that each was in. Ended ones stay as they are."""
        rows = await fetch(self._pool, SQL.cancel, list(ids), plain(reason))
        await mark_processed(self._pool, (r["delivery_id"] for r in rows))
        running = [r["id"] for r in rows if r["state"] == State.RUNNING]
        await signal(self._redis, *map(cancel_message, running))
        await self._tidy([r for r in rows if r["state"] in WAITING])
        return {r["id"]: State(r["state"]) for r in rows}

    async def _tidy(self, cancelled: Sequence[asyncpg.Record]) -> None:
        """Best effort: a worker drops the ids, and the reconciler sends the events."""
        try:
            async with asyncio.timeout(SECONDS):
                for queue in {r["queue"] for r in cancelled}:
                    await self._bell.forget(queue, [r["id"] for r in cancelled])
                told = [r for r in cancelled if r["event_id"] is not None]
                await asyncio.gather(*(self._publisher.publish(_event(r)) for r in told))
        except (RedisError, OSError, TimeoutError, RecordUnavailable) as error:
            log.warning("cancel.not_told", error=str(error) or type(error).__name__)


def _event(row: asyncpg.Record) -> NewEvent:
    return NewEvent(
        row["project_id"], "job_cancelled", row["payload"], row["event_id"], row["created_at"]
    )
