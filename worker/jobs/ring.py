"""Ringing: putting job ids where workers look for them. A lost ring costs time, never a job."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from worker.jobs.model import NewJob

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
    """One job to ring. `run_at_ms` 0 means now. `tenant` shares slots fairly, `key` is limited."""

    id: UUID
    queue: str
    run_at_ms: float = 0.0
    priority: int = 0
    tenant: str = ""
    key: str = ""

    @classmethod
    def of(cls, job: NewJob) -> "Ring":
        """A job that was just recorded."""
        due = job.run_at.timestamp() * 1000 if job.run_at else 0.0
        tenant = job.org_id or (str(job.project_id) if job.project_id else "")
        return cls(job.id, job.queue, due, job.priority, tenant, job.concurrency_key or "")

    @classmethod
    def of_row(cls, row: Mapping[str, Any], run_at_ms: float = 0.0) -> "Ring":
        """A row with id, queue, priority, org_id, project_id and concurrency_key."""
        tenant = row["org_id"] or (str(row["project_id"]) if row["project_id"] else "")
        key = row["concurrency_key"] or ""
        return cls(row["id"], row["queue"], run_at_ms, row["priority"], tenant, key)


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
