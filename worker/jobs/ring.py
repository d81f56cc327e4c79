"""Ringing: putting job ids where workers look for them. A lost ring costs time, never a job."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from asyncpg import Record
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from worker.jobs.model import NewJob

_COMMON = Path(__file__).with_name("queue.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The Redis keys of one queue; queue.lua tells what lies in them, and in those beside them."""

    times: str
    jobs: str
    owners: str
    wake: str


def queue_keys(queue: str) -> QueueKeys:
    """The keys of the queue with this name."""
    times = f"arq:queue:{queue}"
    return QueueKeys(times, f"{times}:jobs", f"{times}:owners", f"{times}:wake")


def queue_script(redis: Redis, path: Path) -> AsyncScript:
    """A script about a queue, on top of queue.lua. Its only key is the queue's `times`."""
    return redis.register_script(f"{_COMMON}\n{path.read_text(encoding='utf-8')}")


@dataclass(slots=True)
class Ring:
    """One job to ring. `run_at_ms` 0 means now. Tenants share slots fairly; keys are limited."""

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
        tenant = _tenant(job.org_id, job.project_id)
        return cls(job.id, job.queue, due, job.priority, tenant, job.concurrency_key or "")

    @classmethod
    def of_row(cls, row: Record, run_at_ms: float = 0.0) -> "Ring":
        """A row with id, queue, priority, org_id, project_id and concurrency_key."""
        tenant = _tenant(row["org_id"], row["project_id"])
        key = row["concurrency_key"] or ""
        return cls(row["id"], row["queue"], run_at_ms, row["priority"], tenant, key)

    @property
    def meta(self) -> str:
        """What Redis keeps beside the id: `priority|key|tenant`, or nothing if there is none."""
        if not (self.priority or self.key or self.tenant):
            return ""
        return f"{self.priority}|{self.key.replace('|', '/')}|{self.tenant}"


class Bell:
    """Rings jobs in Redis. Every method raises when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        here = Path(__file__)
        self._ring = queue_script(redis, here.with_name("ring.lua"))
        self._forget = queue_script(redis, here.with_name("forget.lua"))

    async def ring(self, rings: Iterable[Ring]) -> int:
        """Make jobs ready, or ready at their time; answers how many were not there before."""
        by_queue: defaultdict[str, list[str | int]] = defaultdict(list)
        for r in rings:
            by_queue[r.queue] += (str(r.id), int(r.run_at_ms), r.meta)
        added = 0
        for queue, arguments in by_queue.items():
            added += int(await self._ring(keys=[queue_keys(queue).times], args=arguments))
        return added

    async def forget(self, queue: str, ids: Iterable[UUID]) -> int:
        """Take ids out that wait for jobs which have ended; answers how many there were."""
        names = [str(i) for i in ids]
        if not names:
            return 0
        return int(await self._forget(keys=[queue_keys(queue).times], args=names))


def _tenant(org_id: str | None, project_id: UUID | None) -> str:
    return org_id or (str(project_id) if project_id else "")
