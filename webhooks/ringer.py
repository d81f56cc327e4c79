"""Rings accepted jobs after their commit, without keeping anybody waiting."""

import asyncio
from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from worker.jobs.ring import Bell, Ring

log = structlog.get_logger(__name__)

RING_SECONDS = 2.0
MAX_RINGS = 500


class Ringer:
    """Best effort: what cannot be rung now, the reconciler rings later from the record."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._waiting: list[Ring] = []
        self._task: asyncio.Task[None] | None = None

    def ring(self, rings: Sequence[Ring]) -> None:
        """Have these jobs rung soon, together with others."""
        self._waiting += rings
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def drain(self) -> None:
        """Wait until nothing is on its way."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_RINGS], self._waiting[MAX_RINGS:]
                async with asyncio.timeout(RING_SECONDS):
                    await self._bell.ring(batch)
        except (RedisError, OSError) as error:
            # Those that gathered meanwhile would only wait for the same broken connection.
            lost = len(batch) + len(self._waiting)
            self._waiting.clear()
            log.warning("ring.failed", jobs=lost, error=f"{type(error).__name__}: {error}")
        finally:
            self._task = None
