"""Live events: rows in the same statement as the outcome they tell of, then published.

Channel `project:{id}` carries exactly `{"event","projectId","timestamp","payload"}`; the capped
stream `project:{id}:events` keeps the same text for replay. At least once: `payload.eventId` lets
a reader tell a repeat.

Once it went out, an event is also a message `project.{event}` to those endpoints of the project's
organisation that want it: recorded by the very statement that marks it as published.

Progress is not recorded as events, and may get lost. It goes over the same channel, and into a
short stream of its own, so that it pushes nothing else out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database import queries
from worker.database.batcher import Batcher
from worker.database.pool import Pool, encode_json, fetch, unavailable_as_error
from worker.jobs.ids import new_id
from worker.jobs.ring import Bell, Ring
from worker.metrics import JOBS_ENQUEUED

log = structlog.get_logger(__name__)

SQL = queries.load(__file__)
REPLAY_LENGTH = 1000
REPLAY_SECONDS = 7 * 86_400
PROGRESS_LENGTH = 200
PROGRESS_SECONDS = 60
_OVERDUE_SECONDS = 2.0
_OVERDUE_BATCH = 500


@dataclass(slots=True)
class NewEvent:
    """Something that people watching a project want to know."""

    project_id: UUID
    event: str
    payload: dict[str, Any]
    id: UUID = field(default_factory=new_id)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def channel(project_id: UUID | str) -> str:
    """The pub/sub channel of a project."""
    return f"project:{project_id}"


def stream(project_id: UUID | str) -> str:
    """The key of a project's replay stream."""
    return f"project:{project_id}:events"


def progress_stream(project_id: UUID | str) -> str:
    """The key of a project's stream of progress."""
    return f"project:{project_id}:progress"


def encode(event: NewEvent) -> bytes:
    """The event as it goes over the wire."""
    return encode_json(
        {
            "event": event.event,
            "projectId": str(event.project_id),
            "timestamp": event.created_at.astimezone(UTC).isoformat(),
            "payload": event.payload | {"eventId": str(event.id)},
        }
    ).encode()


async def publish_progress(redis: Redis, events: Sequence[NewEvent]) -> None:
    """Send events that nobody has to see. Raises when Redis is away."""
    async with redis.pipeline(transaction=False) as pipe:
        for event in events:
            key, text = progress_stream(event.project_id), encode(event)
            pipe.xadd(key, {"event": text}, maxlen=PROGRESS_LENGTH)
            pipe.expire(key, PROGRESS_SECONDS)
            pipe.publish(channel(event.project_id), text)
        await pipe.execute()


class Publisher:
    """Publishes events and remembers that it did."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis
        self._bell = Bell(redis)
        self._batches: Batcher[NewEvent, None] = Batcher(self._publish_many)

    async def publish(self, event: NewEvent) -> None:
        """Send an event that is already recorded. Raises on a lost Redis or Postgres."""
        await self._batches.submit(event)

    async def publish_overdue(self) -> int:
        """Send what was recorded some time ago and never marked as sent; answers how many."""
        async with unavailable_as_error():
            rows = await self._pool.fetch(SQL.publishable, _OVERDUE_SECONDS, _OVERDUE_BATCH)
        events = [
            NewEvent(r["project_id"], r["event"], r["payload"], r["id"], r["created_at"])
            for r in rows
        ]
        if events:
            await self._publish_many(events)
        return len(events)

    async def drain(self) -> None:
        """Wait until nothing is on its way."""
        await self._batches.drain()

    async def _publish_many(self, events: Sequence[NewEvent]) -> list[None]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for event in events:
                text = encode(event)
                pipe.xadd(stream(event.project_id), {"event": text}, maxlen=REPLAY_LENGTH)
                pipe.expire(stream(event.project_id), REPLAY_SECONDS)
                pipe.publish(channel(event.project_id), text)
            await pipe.execute()
        # In one order everywhere, so that two processes with the same events do not lock crosswise.
        rows = await fetch(self._pool, SQL.mark_published, sorted(e.id for e in events))
        if rows:
            await self._ring([Ring.of_row(row) for row in rows])
        return [None] * len(events)

    async def _ring(self, deliveries: Sequence[Ring]) -> None:
        for ring in deliveries:
            JOBS_ENQUEUED.labels(ring.queue).inc()
        try:
            await self._bell.ring(deliveries)
        except (RedisError, OSError) as error:
            # The events went out: a reconciler rings what came of them.
            problem = f"{type(error).__name__}: {error}"
            log.warning("ring.failed", jobs=len(deliveries), error=problem)
