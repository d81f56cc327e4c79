"""What operators want, brought to a running process: by message at once, by a poll for certain."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from worker.engine.outages import OUTAGES, REDIS_AWAY, Patience, sleep_unless
from worker.engine.queue_worker import QueueWorker
from worker.jobs.presence import Presence
from worker.jobs.queue_controls import Control as QueueControl
from worker.jobs.signals import CHANNEL, QUEUES_CHANGED, job_to_cancel

log = structlog.get_logger(__name__)

# Everything is obeyed within a second, even if its message got lost.
POLL_SECONDS = 0.9
# A subscription that is silent for so long is asked whether it is still there.
SILENCE_SECONDS = 5.0


class Control:
    """Reads the record's orders and has the queue workers obey them.

    A message only says that there is something new to be read: what counts is in the record.
    """

    def __init__(
        self, redis: Redis, presence: Presence, workers: Mapping[str, QueueWorker]
    ) -> None:
        self._redis = redis
        self._presence = presence
        self._workers = workers
        self._news = asyncio.Event()
        self._unreadable = False
        self._deaf = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Poll and listen until told to stop."""
        async with asyncio.TaskGroup() as loops:
            listening = loops.create_task(self._listen())
            await self._poll()
            listening.cancel()

    def stop(self) -> None:
        """End both loops."""
        self._stopping.set()
        self._news.set()

    async def look(self) -> None:
        """Read the orders once and pass them on. Without Postgres what was read last holds."""
        try:
            orders = await self._presence.orders()
        except OUTAGES as error:
            if not self._unreadable:
                log.warning("control.not_read", error=str(error))
            self._unreadable = True
            return
        self._unreadable = False
        for queue, worker in self._workers.items():
            worker.obey(orders.controls.get(queue, QueueControl(queue)))
        for wanted in orders.to_cancel:
            if wanted.queue in self._workers:
                self._workers[wanted.queue].cancel(wanted)

    async def _poll(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            await self.look()
            await sleep_unless(self._news, POLL_SECONDS)

    async def _listen(self) -> None:
        patience = Patience(self._stopping)
        while not self._stopping.is_set():
            try:
                async with self._redis.pubsub() as messages:
                    await messages.subscribe(CHANNEL)
                    await self._hear(messages, patience)
            except REDIS_AWAY as error:
                if not self._deaf:
                    log.warning("control.not_heard", error=str(error) or type(error).__name__)
                self._deaf = True
                await patience.wait()

    async def _hear(self, messages: Any, patience: Patience) -> None:
        asked = False
        while not self._stopping.is_set():
            message = await messages.get_message(timeout=SILENCE_SECONDS)
            if message is None and asked:
                raise TimeoutError("the subscription does not answer")
            asked = message is None
            if asked:
                await messages.ping()
                continue
            self._deaf = False
            patience.reset()
            if self._concerns(message):
                self._news.set()

    def _concerns(self, message: Mapping[str, Any]) -> bool:
        """Whether the message is news: one about queues, or about a job that runs here."""
        if message["type"] == "subscribe":
            # Whatever was said while nobody listened.
            return True
        if message["type"] != "message":
            return False
        text = message["data"].decode("utf-8", "replace")
        return text == QUEUES_CHANGED or self._runs(job_to_cancel(text))

    def _runs(self, job_id: str | None) -> bool:
        try:
            wanted = UUID(job_id) if job_id else None
        except ValueError:
            return False
        return any(wanted in w.held for w in self._workers.values())
