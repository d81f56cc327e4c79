"""Looks every second for attempts that take too long: past their SLA, or past their end."""

import asyncio
import time
from collections.abc import Mapping

from worker.engine.attempts import Held
from worker.engine.breaches import Breaches
from worker.engine.outages import OUTAGES, sleep_unless
from worker.engine.queue_worker import QueueWorker
from worker.jobs.queues import Queue

LOOK_SECONDS = 1.0


class Overtime:
    """Ten thousand running jobs cost a look about a millisecond."""

    def __init__(self, workers: Mapping[str, QueueWorker], breaches: Breaches) -> None:
        self._workers = workers
        self._breaches = breaches
        self._flagging: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Look until told to stop."""
        while not self.stopping.is_set():
            self.look()
            await sleep_unless(self.stopping, LOOK_SECONDS)
        await asyncio.gather(*self._flagging)

    def look(self) -> None:
        """Give up what has overrun, and begin to flag what is late."""
        now = time.monotonic()
        for worker in self._workers.values():
            worker.give_up_overrun()
            for held in worker.slots.past_sla(now):
                # The record may hang, and the next look must not wait for it.
                task = asyncio.get_running_loop().create_task(self._flag(worker.queue, held, now))
                self._flagging.add(task)
                task.add_done_callback(self._flagging.discard)

    async def _flag(self, queue: Queue, held: Held, now: float) -> None:
        assert held.job is not None
        assert queue.sla is not None
        try:
            await self._breaches.flag(held.job, queue.sla, now - held.started)
        except OUTAGES:
            # The next look tries again, or whoever records the end of the attempt.
            held.sla_at = now
