"""One sleeping place for all queues of a process: a blocking pop on their wake lists."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from redis.asyncio import Redis

from worker.engine.outages import REDIS_AWAY, Patience, sleep_unless
from worker.jobs.ring import queue_keys

# The net under a lost wake-up; retries and delays that this process knows of are timed exactly.
NET_SECONDS = 4.0
POP_SECONDS = 1.0


class Wakeup:
    """Wakes a queue's claim loop when an id is rung, when one falls due, or after the net's time.

    A wake list holds at most one token, and a token wakes one process; a claim that leaves due ids
    behind puts a new one there. A queue without free slots is left out of the pop, so that a busy
    process does not take the token from an idle one.
    """

    def __init__(self, redis: Redis, queues: Iterable[str], worker: str) -> None:
        self._redis = redis
        self._own_key = f"arq:wake:worker:{worker}"
        self._queues = {queue_keys(q).wake.encode(): q for q in queues}
        self._signals = {q: asyncio.Event() for q in self._queues.values()}
        self._busy: set[str] = set()
        self._left_out: set[str] = set()
        self._stopping = asyncio.Event()

    async def wait(self, queue: str, due_in_ms: float | None) -> None:
        """Sleep until there may be something to claim in the queue."""
        await self._available(queue)
        # Half a millisecond late beats a claim that comes a moment too early and finds nothing.
        due = NET_SECONDS if due_in_ms is None else min(due_in_ms / 1000 + 0.0005, NET_SECONDS)
        await sleep_unless(self._signals[queue], max(due, 0.0005))
        self._signals[queue].clear()

    def signal(self, queue: str) -> None:
        """Wake the queue's loop from within this process."""
        self._signals[queue].set()

    def busy(self, queue: str) -> None:
        """The queue has no free slot: its wake-ups belong to other processes."""
        self._busy.add(queue)

    async def run(self) -> None:
        """Pop wake-ups until told to stop."""
        patience = Patience(self._stopping)
        while not self._stopping.is_set():
            try:
                await self._pop_one()
                patience.reset()
            except REDIS_AWAY:
                await patience.wait()

    async def stop(self) -> None:
        """Wake everybody, for good."""
        self._stopping.set()
        for signal in self._signals.values():
            signal.set()
        with suppress(*REDIS_AWAY):
            await self._interrupt_pop()

    async def _available(self, queue: str) -> None:
        self._busy.discard(queue)
        if queue in self._left_out:
            self._left_out.discard(queue)
            # The pop under way does not watch this queue, but the next one will.
            await self._interrupt_pop()

    async def _interrupt_pop(self) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.lpush(self._own_key, "1")
            pipe.expire(self._own_key, 60)
            await pipe.execute()

    async def _pop_one(self) -> None:
        self._left_out = set(self._busy)
        keys = [key for key, queue in self._queues.items() if queue not in self._left_out]
        popped = await self._redis.execute_command(  # type: ignore[no-untyped-call]
            "BLPOP", self._own_key, *keys, POP_SECONDS
        )
        if popped is None or popped[0] not in self._queues:
            return
        queue = self._queues[popped[0]]
        if queue in self._busy:
            await self._redis.execute_command("LPUSH", popped[0], "1")  # type: ignore[no-untyped-call]
        else:
            self._signals[queue].set()
