"""Fires schedules when they fall due. Any number of processes may run one."""

import asyncio
from collections.abc import Sequence

import structlog

from worker.engine.outages import REDIS_AWAY, Patience, sleep_unless
from worker.errors import RecordUnavailable
from worker.jobs.firing import Fired, Firing
from worker.jobs.ring import Bell, Ring
from worker.jobs.timetable import BuiltIn
from worker.metrics import JOBS_ENQUEUED

log = structlog.get_logger(__name__)

# How soon a change that somebody makes is seen.
LONGEST_PAUSE = 2.0
# Another process is firing what is due.
PAUSE_FOR_OTHERS = 0.25


class Scheduler:
    """Declares the built-in schedules, then sleeps from tick to tick."""

    def __init__(self, firing: Firing, bell: Bell, built_in: Sequence[BuiltIn]) -> None:
        self._firing = firing
        self._bell = bell
        self._built_in = built_in
        self._declared = False
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Fire until told to stop."""
        patience = Patience(self.stopping)
        while not self.stopping.is_set():
            try:
                pause = await self.fire_due()
            except RecordUnavailable as error:
                log.warning("schedule.delayed", error=error.message)
                await patience.wait()
            else:
                patience.reset()
                await sleep_unless(self.stopping, pause)

    async def fire_due(self) -> float:
        """Fire all that is due; answers the seconds until it is worth looking again."""
        if not self._declared and self._built_in:
            await self._firing.declare(self._built_in)
        self._declared = True
        while (pause := await self._firing.seconds_until_due()) <= 0:
            fired = await self._firing.fire()
            if fired is None or self.stopping.is_set():
                return PAUSE_FOR_OTHERS
            await self._tell(fired)
        return min(pause, LONGEST_PAUSE)

    async def _tell(self, fired: Fired) -> None:
        if fired.problem is not None:
            log.error("schedule.disabled", schedule=fired.name, error=fired.problem)
        elif fired.ticks and fired.ticks[0] != fired.since:
            log.warning("schedule.ticks_skipped", schedule=fired.name, since=str(fired.since))
        for job in fired.jobs:
            JOBS_ENQUEUED.labels(job.queue).inc()
            log.info("schedule.fired", schedule=fired.name, job_id=str(job.id))
        try:
            await self._bell.ring(Ring.of(job) for job in fired.jobs)
        except REDIS_AWAY as error:
            log.warning("ring.failed", jobs=len(fired.jobs), error=str(error))
