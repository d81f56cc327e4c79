"""The running engine of one process: its queue workers and the loops around them."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from uuid import uuid4

import structlog
from arq.connections import ArqRedis

from worker.database.pool import Pool
from worker.engine.alerts import Alerts
from worker.engine.beat import Beat
from worker.engine.breaches import Breaches
from worker.engine.census import Census
from worker.engine.claims import LEASE_MS, Claims
from worker.engine.control import Control
from worker.engine.executor import Executor, MakeContext
from worker.engine.outages import OUTAGES
from worker.engine.overtime import Overtime
from worker.engine.progress import Reports
from worker.engine.queue_worker import QueueWorker
from worker.engine.reconciler import Reconciler
from worker.engine.scheduler import Scheduler
from worker.engine.wakeup import Wakeup
from worker.engine.watchdog import Watchdog
from worker.jobs.conservation import Conservation
from worker.jobs.events import NewEvent, Publisher
from worker.jobs.firing import Firing
from worker.jobs.ledger import Ledger
from worker.jobs.presence import Presence
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.jobs.ring import Bell
from worker.jobs.timetable import BuiltIn
from worker.jobs.upkeep import Upkeep
from worker.metrics import LOOP_LAG
from worker.tracing import Tracing

log = structlog.get_logger(__name__)


class Engine:
    """Everything that runs jobs in this process. `start` and `stop` it once each."""

    def __init__(
        self,
        *,
        pool: Pool,
        redis: ArqRedis,
        queues: Mapping[str, Queue],
        registry: Registry,
        make_context: MakeContext,
        built_in: Sequence[BuiltIn] = (),
        alert_url: str | None = None,
        conservation: Conservation | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.id = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._redis = redis
        self._registry = registry
        self._make_context = make_context
        self._tracing = tracing or Tracing()
        self.ledger = Ledger(pool, LEASE_MS / 1000 - 1.0)
        self._publisher = Publisher(pool, redis)
        self._bell = Bell(redis)
        # A queue none of whose kinds is known here is left to workers that know them.
        served = [q for q in queues.values() if q.name in registry.queues()]
        self._wakeup = Wakeup(redis, [q.name for q in served], self.id)
        self._recording_stopped = asyncio.Event()
        self._reports = Reports(pool, redis)
        self._alerts = Alerts(alert_url)
        self._breaches = Breaches(pool, self._tell, self._alerts)
        self._claims = {q.name: Claims(redis, q.name, self.id) for q in served}
        self.workers = {q.name: self._queue_worker(q) for q in served}
        presence = Presence(pool, self.id, registry.kinds())
        self._beat = Beat(presence, self.ledger, self._bell, self.id, self.workers, self._claims)
        self._control = Control(redis, presence, self.workers)
        self._overtime = Overtime(self.workers, self._breaches)
        self._reconciler = Reconciler(Upkeep(pool), redis, self._bell, self._publisher, queues)
        models = {kind: registry.get(kind).payload for kind in registry.kinds()}
        self._scheduler = Scheduler(
            Firing(pool, {q.name: q for q in served}, models), self._bell, built_in
        )
        self._census = conservation and Census(conservation, redis, self.id)
        self._watchdog = Watchdog(LEASE_MS / 1000)
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Announce this worker, then begin to claim."""
        await self._beat.once()
        await self._control.look()
        self._loops["watchdog"] = self._watchdog.start()
        self._run("beat", self._beat.run)
        self._run("control", self._control.run)
        self._run("overtime", self._overtime.run)
        self._run("progress", self._reports.run)
        self._run("reconciler", self._reconciler.run)
        self._run("wakeup", self._wakeup.run)
        self._run("scheduler", self._scheduler.run)
        if self._census:
            self._run("census", self._census.run)
        for name, worker in self.workers.items():
            self._run(f"queue {name}", worker.async_run)
        log.info("worker.started", worker=self.id, queues=[*self.workers])

    async def stop(self, seconds: float) -> None:
        """Stop claiming, let running jobs end for up to `seconds`, give the rest back, flush."""
        self._stopping = True
        self._scheduler.stopping.set()
        if self._census:
            self._census.stopping.set()
        log.info("worker.stopping", worker=self.id, running=self.running)
        asyncio.get_running_loop().call_later(seconds + 5.0, self._recording_stopped.set)
        await asyncio.gather(self._wakeup.stop(), *(w.stop(seconds) for w in self.workers.values()))
        self._recording_stopped.set()
        await asyncio.gather(*(w.recorded() for w in self.workers.values()))
        await self.ledger.drain()
        await asyncio.gather(self._alerts.drain(), *self._telling)
        self._control.stop()
        self._overtime.stopping.set()
        self._reports.stopping.set()
        self._beat.stopping.set()
        self._reconciler.stopping.set()
        await self._beat.leave()
        self._watchdog.stop()
        await asyncio.wait([*self._loops.values()], timeout=5.0)
        log.info("worker.stopped", worker=self.id, completed=self.completed, failed=self.failed)

    @property
    def running(self) -> int:
        """Jobs held by this process now."""
        return sum(len(w.held) for w in self.workers.values())

    @property
    def completed(self) -> int:
        """Jobs completed by this process."""
        return sum(w.jobs_complete for w in self.workers.values())

    @property
    def failed(self) -> int:
        """Jobs that died in this process."""
        return sum(w.jobs_failed for w in self.workers.values())

    @property
    def lag(self) -> float:
        """The event loop's last lateness in seconds."""
        LOOP_LAG.set(self._watchdog.lag)
        return self._watchdog.lag

    async def stamp_heartbeat(self) -> None:
        """Record the time of a heartbeat in this worker's row."""
        await self._beat.stamp_heartbeat()

    def dead_loops(self) -> list[str]:
        """The names of loops that ended though nobody stopped them: a defect, and unhealthy."""
        return [n for n, task in self._loops.items() if task.done() and not self._stopping]

    def _queue_worker(self, queue: Queue) -> QueueWorker:
        executor = Executor(
            queue, self._registry, self.ledger, self._make_context, self._tell, self._reports,
            self._breaches, self._recording_stopped, self._tracing,
        )  # fmt: skip
        return QueueWorker(
            queue,
            worker_id=self.id,
            registry=self._registry,
            ledger=self.ledger,
            claims=self._claims[queue.name],
            executor=executor,
            wakeup=self._wakeup,
            redis_pool=self._redis,
        )

    def _run(self, name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._loops[name] = asyncio.create_task(self._keep_running(name, loop), name=name)

    async def _keep_running(self, name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                return await loop()
            except Exception:  # a defect in one loop must not silence the process
                log.exception("loop.crashed", loop=name)
                await asyncio.sleep(1.0)

    def _tell(self, event: NewEvent) -> None:
        task = asyncio.create_task(self._publish(event))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _publish(self, event: NewEvent) -> None:
        try:
            await self._publisher.publish(event)
        except OUTAGES as error:
            log.warning("event.delayed", event_name=event.event, error=str(error))
