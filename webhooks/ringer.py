"""Rings accepted jobs after their commit, without keeping anybody waiting."""

from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from webhooks.afterwards import Afterwards
from worker.jobs.ring import Bell, Ring

log = structlog.get_logger(__name__)

RING_SECONDS = 2.0
MAX_RINGS = 500


class Ringer(Afterwards[Ring]):
    """What cannot be rung now, the reconciler rings later from the record."""

    forgiven = (RedisError, OSError)

    def __init__(self, bell: Bell) -> None:
        super().__init__(seconds=RING_SECONDS, max_items=MAX_RINGS)
        self._bell = bell

    def ring(self, rings: Sequence[Ring]) -> None:
        """Have these jobs rung soon, together with others."""
        self.add(rings)

    async def _do(self, batch: Sequence[Ring]) -> None:
        await self._bell.ring(batch)

    def _dropped(self, count: int, error: Exception) -> None:
        log.warning("ring.failed", jobs=count, error=f"{type(error).__name__}: {error}")
