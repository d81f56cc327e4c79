"""Makes Redis agree with the record again: rings, publishes and prunes what was left behind.

Any number of processes may run one; rows are picked with SKIP LOCKED; ringing twice does no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from uuid import uuid4

import structlog
from asyncpg import Record
from redis.asyncio import Redis

from worker.engine.claims import LEASE_MS
from worker.engine.outages import OUTAGES, sleep_unless
from worker.jobs.events import Publisher
from worker.jobs.queues import Queue
from worker.jobs.ring import Bell, Ring
from worker.jobs.upkeep import Upkeep
from worker.metrics import DEAD_LETTER_JOBS, OLDEST_JOB_AGE, QUEUE_SIZE, RECONCILED

log = structlog.get_logger(__name__)

TICK_SECONDS = 2.0
BATCH = 1000
# How often a tick may go round for more: a backlog must not keep the other steps waiting.
MOST_ROUNDS = 20
EPOCH_KEY = "arq:epoch"
# Silent for longer than a lease, and a little for the beat that is on its way.
SILENT_SECONDS = LEASE_MS / 1000 + 1.0
MEASURE_EVERY = 5
PRUNE_EVERY = 30
_STATUSES = ("queued", "scheduled", "in_progress", "dead")


class Reconciler:
    """Runs its steps every two seconds; a step that fails is tried again at the next tick."""

    def __init__(
        self,
        upkeep: Upkeep,
        redis: Redis,
        bell: Bell,
        publisher: Publisher,
        queues: Mapping[str, Queue],
    ) -> None:
        self._upkeep = upkeep
        self._redis = redis
        self._bell = bell
        self._publisher = publisher
        self._queues = queues
        self._epoch: bytes | None = None
        self._ticks = 0
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Tick until told to stop."""
        while not self.stopping.is_set():
            await self.tick()
            await sleep_unless(self.stopping, TICK_SECONDS)

    async def tick(self) -> None:
        """Every step once, whatever becomes of the others."""
        for step in self._steps():
            try:
                await step()
            except OUTAGES as error:
                log.warning("reconcile.failed", step=step.__name__, error=str(error))
        self._ticks += 1

    def _steps(self) -> Iterable[Callable[[], Awaitable[object]]]:
        yield self.notice_lost_memory
        yield self.ring_unrung
        yield self.ring_abandoned
        yield self._publisher.publish_overdue
        if self._ticks % MEASURE_EVERY == 0:
            yield self.measure
        if self._ticks % PRUNE_EVERY == 0:
            yield self.prune

    async def notice_lost_memory(self) -> None:
        """A Redis without its epoch key was flushed or restarted empty: every ring is void."""
        mine = uuid4().hex.encode()
        created = await self._redis.set(EPOCH_KEY, mine, nx=True)
        epoch = mine if created else await self._redis.get(EPOCH_KEY)
        if created or self._epoch not in (None, epoch):
            # A worker that comes to an empty Redis cannot tell a new one from one that forgot.
            (log.info if self._epoch is None else log.warning)("redis.lost_memory")
            await self._upkeep.forget_rings()
        self._epoch = epoch

    async def ring_unrung(self) -> int:
        """Ring every waiting job that is due and was not rung lately."""
        return await self._ring_all("unrung", lambda: self._upkeep.unrung(BATCH))

    async def ring_abandoned(self) -> int:
        """Ring every running job whose worker has been silent for too long."""
        return await self._ring_all(
            "abandoned", lambda: self._upkeep.abandoned(SILENT_SECONDS, BATCH)
        )

    async def measure(self) -> None:
        """Bring the gauges of the queues up to date."""
        rows = await self._upkeep.counts()
        counted = {(r["queue"], r["status"]): r["jobs"] for r in rows}
        oldest = {r["queue"]: r["oldest"] for r in rows if r["status"] == "queued"}
        for queue in self._queues:
            for status in _STATUSES:
                QUEUE_SIZE.labels(queue, status).set(counted.get((queue, status), 0))
            DEAD_LETTER_JOBS.labels(queue).set(counted.get((queue, "dead"), 0))
            OLDEST_JOB_AGE.labels(queue).set(oldest.get(queue) or 0)

    async def prune(self) -> None:
        """Delete ended jobs beyond each queue's retention, old events, and workers long gone."""
        for queue in self._queues.values():
            await self._upkeep.prune(queue)
        await self._upkeep.prune_events()
        await self._upkeep.forget_silent_workers()

    async def _ring_all(self, reason: str, pick: Callable[[], Awaitable[Sequence[Record]]]) -> int:
        total = 0
        for _ in range(MOST_ROUNDS):
            rows = await pick()
            added = await self._bell.ring(Ring.of_row(r, r["run_at_ms"]) for r in rows)
            if rows:
                await self._upkeep.rang([r["id"] for r in rows])
            total += added
            # Rings that were all there already mean a backlog, not a loss: no hurry.
            if len(rows) < BATCH or not added:
                break
        if total:
            RECONCILED.labels(reason).inc(total)
            log.info("reconcile.rang", reason=reason, jobs=total)
        return total
