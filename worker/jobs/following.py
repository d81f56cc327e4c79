"""Jobs that a running job asks for: recorded before it ends, so that no crash comes between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database.pool import Pool
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob, StartedJob
from worker.jobs.payload_base import Payload
from worker.jobs.planning import Planner
from worker.jobs.queues import Queue
from worker.jobs.ring import Bell, Ring
from worker.metrics import JOBS_ENQUEUED

log = structlog.get_logger(__name__)


class FollowUps:
    """Records and rings jobs on behalf of others, one instance a process."""

    def __init__(self, pool: Pool, redis: Redis, queues: Mapping[str, Queue]) -> None:
        self._ledger, self._bell = Ledger(pool), Bell(redis)
        self.planner = Planner(queues)

    async def add(self, parent: StartedJob, payload: Payload, dedupe_key: str) -> UUID | None:
        """Record one job and ring it; None if a job with this key is there already.

        Raises RecordUnavailable when Postgres is away. It runs even if ringing fails: later.
        """
        job = self.planned(parent, payload, dedupe_key)
        if not await self._ledger.add([job]):
            return None
        JOBS_ENQUEUED.labels(job.queue).inc()
        await self.ring([Ring.of(job)])
        return job.id

    async def ring(self, rings: Sequence[Ring]) -> None:
        """Ring recorded jobs; what cannot be rung now, a reconciler rings."""
        if not rings:
            return
        try:
            await self._bell.ring(rings)
        except (RedisError, OSError) as error:
            log.warning("ring.failed", jobs=len(rings), error=f"{type(error).__name__}: {error}")

    def planned(self, parent: StartedJob, payload: Payload, dedupe_key: str | None) -> NewJob:
        """A job that follows from another, to be recorded (see worker.jobs.planning.record)."""
        project = parent.project
        return self.planner.job(
            payload,
            dedupe_key,
            org_id=project.org_id if project else None,
            priority=project.priority if project else 0,
            # A delivery is done with when all that came of it is.
            delivery_id=parent.delivery_id,
            correlation_id=parent.correlation_id,
            traceparent=parent.traceparent,
        )


@dataclass(frozen=True, slots=True)
class Following:
    """What a handler sees of it: `add` makes a job that follows from its own."""

    job: StartedJob
    follow_ups: FollowUps

    async def add(self, payload: Payload, dedupe_key: str) -> UUID | None:
        """Record a job; running the handler twice with the same key makes one. See FollowUps."""
        return await self.follow_ups.add(self.job, payload, dedupe_key)
