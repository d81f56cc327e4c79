"""Jobs that a running job asks for: recorded before it ends, so that no crash comes between."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database.pool import Pool
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob, StartedJob
from worker.jobs.payloads import PAYLOADS, Payload, ProjectPayload, concurrency_key
from worker.jobs.queues import Queue
from worker.jobs.ring import Bell, Ring
from worker.jobs.trace import new_traceparent
from worker.metrics import JOBS_ENQUEUED

log = structlog.get_logger(__name__)

_KINDS = {model: kind for kind, model in PAYLOADS.items()}


class FollowUps:
    """Records and rings jobs on behalf of others, one instance a process."""

    def __init__(self, pool: Pool, redis: Redis, queues: Mapping[str, Queue]) -> None:
        self._ledger, self._bell = Ledger(pool), Bell(redis)
        self._queues = {kind: queue for queue in queues.values() for kind in queue.kinds}

    async def add(self, parent: StartedJob, payload: Payload, dedupe_key: str) -> UUID | None:
        """Record one job and ring it; None if a job with this key is there already.

        Raises RecordUnavailable when Postgres is away. It runs even if ringing fails: later.
        """
        job = self._planned(parent, payload, dedupe_key)
        if not await self._ledger.add([job]):
            return None
        JOBS_ENQUEUED.labels(job.queue).inc()
        try:
            await self._bell.ring([Ring.of(job)])
        except (RedisError, OSError) as error:
            log.warning("ring.failed", jobs=1, error=f"{type(error).__name__}: {error}")
        return job.id

    def _planned(self, parent: StartedJob, payload: Payload, dedupe_key: str) -> NewJob:
        kind, project = _KINDS[type(payload)], parent.project
        queue = self._queues[kind]
        return NewJob(
            queue=queue.name,
            kind=kind,
            payload=payload.wire(),
            max_attempts=queue.attempts,
            project_id=payload.project_id if isinstance(payload, ProjectPayload) else None,
            org_id=project.org_id if project else None,
            priority=project.priority if project else 0,
            dedupe_key=dedupe_key,
            # A delivery is done with when all that came of it is.
            delivery_id=parent.delivery_id,
            correlation_id=parent.correlation_id,
            concurrency_key=concurrency_key(payload),
            traceparent=new_traceparent(parent.traceparent),
        )


@dataclass(frozen=True, slots=True)
class Following:
    """What a handler sees of it: `add` makes a job that follows from its own."""

    job: StartedJob
    follow_ups: FollowUps

    async def add(self, payload: Payload, dedupe_key: str) -> UUID | None:
        """Record a job; running the handler twice with the same key makes one. See FollowUps."""
        return await self.follow_ups.add(self.job, payload, dedupe_key)
