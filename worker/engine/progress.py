"""Brings what handlers report to the record and to watchers, a few times a second for each job."""

import asyncio
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis

from worker.database.batcher import Batcher
from worker.database.pool import Pool
from worker.engine.outages import OUTAGES, REDIS_AWAY, sleep_unless
from worker.jobs import progress
from worker.jobs.model import StartedJob
from worker.jobs.progress import Report

log = structlog.get_logger(__name__)

# Three in any second, and the last one before the end: never more than four.
SPACING_SECONDS = 0.334
# The end of a job waits for its last report, but not for a Redis that hangs.
PUBLISH_SECONDS = 1.0


class Reporter:
    """What one attempt's handler calls. Remembers the latest call, and does nothing else."""

    __slots__ = ("_waiting", "job", "latest", "used")

    def __init__(self, job: StartedJob, waiting: "set[Reporter]") -> None:
        self.job = job
        self.latest: tuple[int, str] | None = None
        self.used = False
        self._waiting = waiting

    def __call__(self, percent: float, message: str = "") -> None:
        """Say how far the job has come, from 0 to 100, and what it is doing."""
        self.latest = (int(percent), message)
        self.used = True
        self._waiting.add(self)

    def take(self) -> Report | None:
        """The latest call that was not taken yet."""
        latest, self.latest = self.latest, None
        return None if latest is None else Report.of(self.job, *latest)


class Reports:
    """All reporters of a process, and the one loop that flushes them."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis
        self._waiting: set[Reporter] = set()
        self._batches: Batcher[Reporter, None] = Batcher(self._send_many)
        self._failing = False
        self.stopping = asyncio.Event()

    def reporter(self, job: StartedJob) -> Reporter:
        """The reporter of one attempt."""
        return Reporter(job, self._waiting)

    async def run(self) -> None:
        """Flush until told to stop."""
        while not self.stopping.is_set():
            await self.flush()
            await sleep_unless(self.stopping, SPACING_SECONDS)

    async def flush(self) -> None:
        """Send what was reported since the last time. What cannot be sent waits for the next."""
        # One by one: a handler may report from a thread of its own meanwhile.
        waiting = [self._waiting.pop() for _ in range(len(self._waiting))]
        if not waiting:
            return
        try:
            await asyncio.gather(*(self._batches.submit(r) for r in waiting))
            self._failing = False
        except OUTAGES as error:
            if not self._failing:
                log.warning("progress.delayed", error=str(error))
            self._failing = True

    async def close(self, reporter: Reporter) -> None:
        """The handler has ended: send what it reported last, after all that is on its way.

        Raises RecordUnavailable.
        """
        if reporter.used:
            await self._batches.submit(reporter)
            self._waiting.discard(reporter)

    async def _send_many(self, reporters: Sequence[Reporter]) -> list[None]:
        taken = {r: report for r in reporters if (report := r.take()) is not None}
        try:
            saved = await progress.save(self._pool, [*taken.values()]) if taken else []
        except OUTAGES:
            for reporter, report in taken.items():
                if reporter.latest is None:
                    reporter(report.percent, report.message or "")
            raise
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await progress.publish(self._redis, saved)
        except REDIS_AWAY as error:
            log.debug("progress.not_published", error=str(error))
        return [None] * len(reporters)
