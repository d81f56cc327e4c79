"""Ringing: putting job ids where workers look for them. A lost ring costs time, never a job."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

# What a point of priority is worth: `enterprise` (10) passes ten minutes' backlog.
HEAD_START_MS = 60_000
_SCRIPT = Path(__file__).with_name("ring.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The Redis keys of one queue."""

    ready: str
    owners: str
    wake: str


def queue_keys(queue: str) -> QueueKeys:
    """`ready` is the sorted set of ids by due time or lease end, `owners` the lease tokens."""
    return QueueKeys(f"arq:queue:{queue}", f"arq:owners:{queue}", f"arq:wake:{queue}")


@dataclass(frozen=True, slots=True)
class Ring:
    """One job to ring. `run_at_ms` 0 means now."""

    id: UUID
    queue: str
    run_at_ms: float = 0.0
    priority: int = 0


class Bell:
    """Rings jobs in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_SCRIPT)

    async def ring(self, rings: Iterable[Ring]) -> int:
        """Make jobs ready; answers how many were not there before. Raises when Redis is away."""
        by_queue: defaultdict[str, list[str | int]] = defaultdict(list)
        for r in rings:
            by_queue[r.queue] += (str(r.id), int(r.run_at_ms), r.priority)
        added = 0
        for queue, arguments in by_queue.items():
            keys = queue_keys(queue)
            added += int(
                await self._script(keys=[keys.ready, keys.wake], args=[HEAD_START_MS, *arguments])
            )
        return added
