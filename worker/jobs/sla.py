"""Jobs that run past their queue's SLA: marked once each, while they run or when they end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from worker.database import queries
from worker.database.pool import Pool, encode_json, fetch
from worker.jobs.events import NewEvent
from worker.jobs.ids import new_id
from worker.jobs.model import StartedJob
from worker.jobs.rows import columns

SQL = queries.load(__file__)
EVENT = "job_sla_breached"


@dataclass(frozen=True, slots=True)
class Breach:
    """An attempt that has been running for longer than its queue's SLA."""

    job: StartedJob
    sla_seconds: float
    running_seconds: float
    id: UUID = field(default_factory=new_id)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def payload(self) -> dict[str, Any]:
        """What the event says."""
        return {
            "jobId": str(self.job.id), "queue": self.job.queue, "kind": self.job.kind,
            "slaSeconds": self.sla_seconds, "runningSeconds": round(self.running_seconds, 3),
        }  # fmt: skip

    @property
    def event(self) -> NewEvent | None:
        """The live event; None for a job without a project, which nobody watches."""
        if self.job.project_id is None:
            return None
        return NewEvent(self.job.project_id, EVENT, self.payload, self.id, self.at)

    @property
    def alert(self) -> dict[str, Any]:
        """The same for somebody outside: an object that JSON can say."""
        project_id = self.job.project_id
        return {
            "event": EVENT, "projectId": None if project_id is None else str(project_id),
            "timestamp": self.at.isoformat(), "payload": self.payload | {"eventId": str(self.id)},
        }  # fmt: skip


async def flag(pool: Pool, breaches: Sequence[Breach]) -> list[Breach]:
    """Mark the jobs; answers the breaches of those that this call has marked.

    A job that was marked before, or that the attempt does not own any more, is left out. Raises
    RecordUnavailable.
    """
    first = {b.job.id: b for b in reversed(breaches)}
    ordered = [first[i] for i in sorted(first)]
    attempts = columns(((b.job.id, b.job.attempt) for b in ordered), 2)
    events = [(b.id, b.job.project_id, b.job.id, encode_json(b.payload))
              for b in ordered if b.job.project_id is not None]  # fmt: skip
    rows = await fetch(pool, SQL.flag, *attempts, *columns(events, 4))
    return [first[r["id"]] for r in rows]
