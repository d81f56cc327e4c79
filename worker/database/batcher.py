"""Group commit: items come one by one, and whatever waits goes out together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Flush = Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]


class Batcher(Generic[Item, Answer]):
    """Runs `flush` on everything that is waiting as soon as a flush slot is free.

    `flush` gets 1 to `max_items` items and answers one result for each, in order. There is no
    timer: a lone caller goes out at once, and a crowd shares a statement. While a flush is under
    way, another one starts when `crowd` items wait. When a flush of several items raises one of
    `isolate`, the items are flushed one by one, so that a single bad item fails only its own
    caller; any other error fails every caller of that flush.
    """

    def __init__(
        self,
        flush: Flush[Item, Answer],
        *,
        max_items: int = 500,
        max_flushes: int = 1,
        crowd: int = 1,
        isolate: tuple[type[Exception], ...] = (),
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._isolate = isolate
        self._slots = max_flushes
        self._crowd = crowd
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Answer:
        """Wait until the item has been flushed. A cancelled caller's item may still go out."""
        return await self.post(item)

    def post(self, item: Item) -> "asyncio.Future[Answer]":
        """Send an item on its way without waiting; the answered future tells what came of it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._start_flush()
        return future

    async def drain(self) -> None:
        """Wait until nothing is waiting and no flush is under way."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _start_flush(self) -> None:
        # One that has not begun takes all that comes until then; a second would find nothing left.
        if self._gathering is not None or len(self._running) >= self._slots:
            return
        if len(self._waiting) >= (self._crowd if self._running else 1):
            task = asyncio.get_running_loop().create_task(self._flush_waiting())
            self._gathering = task
            self._running.add(task)
            task.add_done_callback(self._flush_ended)

    def _flush_ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._gathering is task:
            self._gathering = None
        self._start_flush()

    async def _flush_waiting(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_items))]
        self._gathering = None
        self._start_flush()
        try:
            await self._deliver(batch)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise

    async def _deliver(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except self._isolate as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                for one in batch:
                    await self._deliver([one])
        except Exception as error:  # noqa: BLE001  the callers, not this task, decide what it means
            _fail(batch, error)
        else:
            for (_, future), answer in answered:
                if not future.done():
                    future.set_result(answer)


def _fail(batch: Sequence[tuple[object, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


class Gatherer(Generic[Item]):
    """A Batcher for items whose givers wait for nothing: one task a flush, and none an item.

    `flush` gets 1 to `max_items` items, and must deal with its own errors.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[None]],
        *,
        max_items: int = 500,
        max_flushes: int = 1,
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._slots = max_flushes
        self._active = 0
        # Not the context of whoever happens to give the first item of a flush.
        self._context = copy_context()
        self._waiting: list[Item] = []
        self._running: set[asyncio.Task[None]] = set()

    def put(self, item: Item) -> None:
        """Send an item on its way."""
        self._waiting.append(item)
        if self._active < self._slots:
            self._active += 1
            task = asyncio.get_running_loop().create_task(
                self._flush_waiting(), context=self._context
            )
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    @property
    def tasks(self) -> "frozenset[asyncio.Task[None]]":
        """The flushes under way."""
        return frozenset(self._running)

    async def drain(self) -> None:
        """Wait until nothing is waiting and no flush is under way."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _flush_waiting(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._max_items]
                del self._waiting[: self._max_items]
                await self._flush(batch)
        finally:
            # Here and not in a callback: an item put in between would wait for nobody.
            self._active -= 1
