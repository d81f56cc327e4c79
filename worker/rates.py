"""How often something may be done: allowances kept in Redis, by its clock, for all processes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database.batcher import Batcher
from worker.errors import LimitUnavailable
from worker.metrics import RATE_LIMITS_UNAVAILABLE

log = structlog.get_logger(__name__)

REDIS_AWAY = (RedisError, OSError, TimeoutError)
PATIENCE_SECONDS = 0.2
OUTAGE_SECONDS = 1.0
# What a script may hold Redis up for is well below a millisecond.
MOST_AT_ONCE = 100
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking: `allowed`, of how many a window, and how many `remaining` are left.

    Seconds: `reset` until all are back, `retry_after` until as many could be taken; 0 if they were.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: float
    retry_after: float


@dataclass(frozen=True, slots=True)
class _Wanted:
    key: str
    count: int
    window: int
    cost: int


class Rates:
    """Gives out allowances; calls that come together share a round trip.

    Nobody waits for Redis longer than `patience` seconds, and after an outage was noticed nobody at
    all for `outage` seconds.
    """

    def __init__(
        self, redis: Redis, *, patience: float = PATIENCE_SECONDS, outage: float = OUTAGE_SECONDS
    ) -> None:
        self._script = redis.register_script(Path(__file__).with_suffix(".lua").read_text())
        self._patience, self._outage = patience, outage
        self._batcher: Batcher[_Wanted, Taken] = Batcher(self._take_all, max_items=MOST_AT_ONCE)
        self._away, self._away_until = False, 0.0

    async def take(self, name: str, key: str, count: int, seconds: float, cost: int = 1) -> Taken:
        """Take `cost` of the `count` that `key` has for `name` in so many seconds, if it has them.

        They come back evenly as time passes; nothing is taken where they do not suffice. `cost` is
        `count` at most. Raises LimitUnavailable while Redis is away.
        """
        wanted = _Wanted(f"rate:{name}:{key}", count, round(seconds * _MICROSECONDS), cost)
        try:
            return await self._batcher.submit(wanted)
        except LimitUnavailable:
            RATE_LIMITS_UNAVAILABLE.labels(name).inc()
            raise

    async def _take_all(self, wanted: Sequence[_Wanted]) -> list[Taken]:
        if time.monotonic() < self._away_until:
            raise _unavailable()
        try:
            numbers = await self._in_time([w.key for w in wanted], _arguments(wanted))
        except REDIS_AWAY as error:
            self._noticed(error)
            raise _unavailable() from error
        self._away = False
        return [_taken(w, *numbers[4 * i : 4 * i + 4]) for i, w in enumerate(wanted)]

    async def _in_time(self, keys: list[str], arguments: list[int]) -> list[int]:
        began = time.monotonic()
        try:
            return await self._ask(keys, arguments)
        except TimeoutError:
            if time.monotonic() - began < 1.5 * self._patience:
                raise
            # This process was held up itself, and has not given Redis that time.
            return await self._ask(keys, arguments)

    async def _ask(self, keys: list[str], arguments: list[int]) -> list[int]:
        async with asyncio.timeout(self._patience):
            numbers: list[int] = await self._script(keys=keys, args=arguments)
        return numbers

    def _noticed(self, error: Exception) -> None:
        self._away_until = time.monotonic() + self._outage
        if not self._away:
            log.warning("rates.unavailable", error=f"{type(error).__name__}: {error}")
        self._away = True


def _arguments(wanted: Sequence[_Wanted]) -> list[int]:
    return [number for w in wanted for number in (w.count, w.window, w.cost)]


def _taken(wanted: _Wanted, allowed: int, left: int, reset: int, wait: int) -> Taken:
    return Taken(bool(allowed), wanted.count, left, reset / _MICROSECONDS, wait / _MICROSECONDS)


def _unavailable() -> LimitUnavailable:
    return LimitUnavailable(
        "How often this may be called cannot be told while Redis is away; try again shortly."
    )
