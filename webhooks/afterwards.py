"""What is done after an answer, in batches, without keeping anybody waiting."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

Item = TypeVar("Item")


class Afterwards(ABC, Generic[Item]):
    """Best effort: when a batch fails, what has gathered behind it is dropped with it.

    Whatever is dropped must be made good by somebody else, from the record.
    """

    forgiven: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, *, seconds: float, max_items: int) -> None:
        self._seconds, self._max_items = seconds, max_items
        self._waiting: list[Item] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, items: Iterable[Item]) -> None:
        """Have these done soon, together with others."""
        self._waiting += items
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def drain(self) -> None:
        """Wait until nothing is on its way."""
        while self._task is not None:
            await asyncio.wait({self._task})

    @abstractmethod
    async def _do(self, batch: Sequence[Item]) -> None:
        """Do it within the seconds allowed; what this may raise is in `forgiven`."""

    @abstractmethod
    def _dropped(self, count: int, error: Exception) -> None:
        """Say so in the log."""

    async def _run(self) -> None:
        limit = self._max_items
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:limit], self._waiting[limit:]
                async with asyncio.timeout(self._seconds):
                    await self._do(batch)
        except self.forgiven as error:
            # Those that gathered meanwhile would only wait for the same broken connection.
            lost = len(batch) + len(self._waiting)
            self._waiting.clear()
            self._dropped(lost, error)
        finally:
            self._task = None
