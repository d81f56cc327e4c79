"""Telling of jobs that run past their queue's SLA: in the record, as event, metric and alert."""

from collections.abc import Callable, Sequence

import structlog

from worker.database.batcher import Batcher
from worker.database.pool import Pool
from worker.engine.alerts import Alerts
from worker.jobs import sla
from worker.jobs.events import NewEvent
from worker.jobs.model import StartedJob
from worker.jobs.sla import Breach
from worker.metrics import SLA_BREACHES

log = structlog.get_logger(__name__)


class Breaches:
    """Tells of each job once, whoever else looks at it, and however many attempts it has."""

    def __init__(self, pool: Pool, tell: Callable[[NewEvent], None], alerts: Alerts) -> None:
        self._pool = pool
        self._tell = tell
        self._alerts = alerts
        self._batches: Batcher[Breach, None] = Batcher(self._flag_many)

    async def flag(self, job: StartedJob, sla_seconds: float, running_seconds: float) -> None:
        """Tell that an attempt which has not been recorded as ended takes, or took, too long.

        Nothing happens when its job was told of before. Raises RecordUnavailable.
        """
        await self._batches.submit(Breach(job, sla_seconds, running_seconds))

    async def _flag_many(self, breaches: Sequence[Breach]) -> list[None]:
        for breach in await sla.flag(self._pool, breaches):
            job = breach.job
            SLA_BREACHES.labels(job.queue).inc()
            log.warning(
                "job.sla_breached", job_id=str(job.id), kind=job.kind, queue=job.queue,
                sla=breach.sla_seconds, seconds=round(breach.running_seconds, 3),
            )  # fmt: skip
            if breach.event is not None:
                self._tell(breach.event)
            self._alerts.post(breach.alert)
        return [None] * len(breaches)
