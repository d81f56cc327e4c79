"""How far running jobs have come: in their rows, and as events that nobody has to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis

from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.jobs.events import NewEvent, publish_progress
from worker.jobs.model import StartedJob
from worker.jobs.rows import columns

SQL = queries.load(__file__)
LONGEST_MESSAGE = 200


class Progress(Protocol):
    """What a handler calls as often as it likes: only the latest call counts, and it costs nothing.

    `percent` is cut to 0 to 100, `message` to 200 characters.
    """

    def __call__(self, percent: float, message: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Report:
    """How far an attempt has come."""

    job: StartedJob
    percent: int
    message: str | None

    @classmethod
    def of(cls, job: StartedJob, percent: int, message: str) -> "Report":
        """As the record can hold it."""
        text = plain(str(message)[:LONGEST_MESSAGE]) if message else None
        return cls(job, min(max(percent, 0), 100), text)


async def save(pool: Pool, reports: Sequence[Report]) -> list[Report]:
    """Record reports, one a job; answers those whose attempts still own their jobs.

    Raises RecordUnavailable.
    """
    ordered = sorted(reports, key=lambda r: r.job.id)
    values = columns(((r.job.id, r.job.attempt, r.percent, r.message) for r in ordered), 4)
    saved = {(r["id"], r["attempt"]) for r in await fetch(pool, SQL.save, *values)}
    return [r for r in ordered if (r.job.id, r.job.attempt) in saved]


async def publish(redis: Redis, reports: Sequence[Report]) -> None:
    """Show reports to whoever watches their projects. Raises when Redis is away."""
    events = [e for r in reports if (e := _event(r)) is not None]
    if events:
        await publish_progress(redis, events)


def _event(report: Report) -> NewEvent | None:
    job = report.job
    if job.project_id is None:
        return None
    payload = {"jobId": str(job.id), "progress": report.percent, "message": report.message or ""}
    return NewEvent(job.project_id, "job_progress", payload)
