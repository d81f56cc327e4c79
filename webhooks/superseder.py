"""Has older jobs superseded after the commit of a newer one, and tells who watches the project."""

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog
from redis.exceptions import RedisError

from webhooks.afterwards import Afterwards
from worker.database.pool import describe
from worker.errors import RecordUnavailable
from worker.jobs.events import Publisher
from worker.jobs.ring import Bell
from worker.jobs.superseding import Superseded, Superseding

log = structlog.get_logger(__name__)

SUPERSEDE_SECONDS = 5.0
MAX_LANES = 500


class Superseder(Afterwards[str]):
    """Lanes that are not settled now have all their jobs run; the result is the same."""

    forgiven = (RecordUnavailable, asyncpg.PostgresError, RedisError, OSError)

    def __init__(self, superseding: Superseding, bell: Bell, publisher: Publisher) -> None:
        super().__init__(seconds=SUPERSEDE_SECONDS, max_items=MAX_LANES)
        self._superseding = superseding
        self._bell = bell
        self._publisher = publisher

    async def _do(self, batch: Sequence[str]) -> None:
        superseded = await self._superseding.settle(batch)
        if superseded:
            log.info("job.superseded", jobs=len(superseded), lanes=len(set(batch)))
            await self._tell(superseded)

    async def _tell(self, superseded: Sequence[Superseded]) -> None:
        # Left undone, a worker drops the ids, and the reconciler publishes the events.
        for queue in {s.queue for s in superseded}:
            await self._bell.forget(queue, [s.id for s in superseded if s.queue == queue])
        events = [s.event for s in superseded if s.event]
        await asyncio.gather(*(self._publisher.publish(event) for event in events))

    def _dropped(self, count: int, error: Exception) -> None:
        log.warning("superseding.failed", lanes=count, error=describe(error))
