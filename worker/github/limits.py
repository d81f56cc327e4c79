"""GitHub's limits, kept by all workers together: what one of them is told holds for the others."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.github.errors import Limited

REDIS_AWAY = (RedisError, OSError, TimeoutError)
LONGEST_WAIT = 1.0
# Without a word of GitHub how long to be silent; it doubles with each time.
SILENCE_SECONDS = 60.0
# Longer than any request may take: only a worker that was lost lets its turn lapse.
TURN_MS = 30_000
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be used up: turns of everybody at once, and a login's points.

    GitHub allows 900 points a minute; `points` at once and `refill` a second stay below that.
    `alone` is how many turns one process takes while Redis is away.
    """

    at_once: int = 100
    points: int = 600
    refill: float = 5.0
    alone: int = 5


@dataclass(slots=True)
class Turn:
    """The right to send one request, and what its answer says of the limits.

    `reset` is in seconds of GitHub's clock, `reset_in` and `silence` in seconds from now.
    """

    began: int | None
    id: str = field(default_factory=lambda: uuid4().hex)
    ending: Literal["answered", "limited", "lost"] = "lost"
    remaining: int | None = None
    reset: int | None = None
    reset_in: float | None = None
    silence: float | None = None
    blocked: float = 0.0


class Limits:
    """Gives turns. While Redis is away a process relies on itself, and takes few."""

    def __init__(self, redis: Redis, allowance: Allowance | None = None) -> None:
        self._allowance = allowance or Allowance()
        self._acquire, self._settle = (
            redis.register_script(Path(__file__).with_name(f"{name}.lua").read_text())
            for name in ("acquire", "settle")
        )
        self._alone = 0
        self._blocked: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, login: str, cost: int) -> AsyncIterator[Turn]:
        """A turn for one request of `login`, costing so many points.

        Waits for it no longer than a second. Raises Limited when that is not enough.
        """
        turn = await self._take(login, cost)
        try:
            yield turn
        finally:
            await self._end(login, turn)

    async def _take(self, login: str, cost: int) -> Turn:
        until = time.monotonic() + LONGEST_WAIT
        while True:
            turn, wait = await self._try(login, cost)
            if turn is not None:
                return turn
            if time.monotonic() + (wait or _PAUSE) > until:
                raise _limited(wait)
            # Not in step with the others who wait.
            await asyncio.sleep((wait or _PAUSE) * random.uniform(1.0, 1.5))  # noqa: S311

    async def _try(self, login: str, cost: int) -> tuple[Turn | None, float]:
        """A turn, or for how many seconds there is none; 0: until others have ended theirs."""
        blocked = self._blocked.get(login, 0.0) - time.monotonic()
        if blocked > 0:
            return None, blocked
        limits, turn = self._allowance, Turn(None)
        arguments: list[str | float] = [
            turn.id,
            TURN_MS,
            limits.at_once,
            cost,
            limits.points,
            limits.refill / 1000,
        ]
        try:
            code, value = await self._acquire(keys=_keys(login), args=arguments)
        except REDIS_AWAY:
            return self._try_alone()
        turn.began = value
        return (turn, 0.0) if code == 0 else (None, value / 1000)

    def _try_alone(self) -> tuple[Turn | None, float]:
        if self._alone >= self._allowance.alone:
            return None, 0.0
        self._alone += 1
        return Turn(None), 0.0

    async def _end(self, login: str, turn: Turn) -> None:
        if turn.began is None:
            self._alone -= 1
        try:
            turn.blocked = await self._settle(keys=_keys(login), args=_told(turn)) / 1000
        except REDIS_AWAY:
            turn.blocked = _own_silence(turn)
        # Also here, as Redis may forget.
        if turn.ending == "limited":
            self._blocked[login] = time.monotonic() + turn.blocked


def _keys(login: str) -> list[str]:
    return ["github:turns", f"github:turns:{login}", f"github:limits:{login}"]


def _told(turn: Turn) -> list[str | int]:
    known = (turn.remaining, turn.reset, _milliseconds(turn.reset_in), _milliseconds(turn.silence))
    return [turn.id, turn.began or 0, turn.ending, *("" if v is None else v for v in known)]


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else math.ceil(max(0.0, seconds) * 1000)


def _own_silence(turn: Turn) -> float:
    if turn.silence is not None:
        return turn.silence
    out_of_requests = turn.remaining == 0 and turn.reset_in is not None
    return turn.reset_in if out_of_requests and turn.reset_in else SILENCE_SECONDS


def _limited(wait: float) -> Limited:
    if wait == 0:
        return Limited(random.uniform(1.0, 2.0), "too many requests to GitHub are under way")  # noqa: S311
    # A little later each, so that not all of them come back at the same moment.
    seconds = wait + random.uniform(0.0, 1.0 + 0.05 * wait)  # noqa: S311
    return Limited(seconds, f"GitHub's limits allow no request for {wait:.0f} s")
