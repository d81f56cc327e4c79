"""Resend's limits, kept by all workers together: so many emails a second, and a quota."""

import asyncio
import random
import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.errors import LimitUnavailable
from worker.rates import Rates
from worker.tenants.notifications.letters import Postponed

log = structlog.get_logger(__name__)

QUOTA_SECONDS = 3600
LONGEST_WAIT = 2.0
_QUOTA_KEY = "resend:quota"
_REDIS_SECONDS = 2.0
_REDIS_AWAY = (RedisError, OSError, TimeoutError)


class ResendLimits:
    """Says whether an email may go now. While Redis is away a process relies on itself."""

    def __init__(self, redis: Redis, per_second: int) -> None:
        self._redis, self._spacing = redis, 1.0 / per_second
        self._rates = Rates(redis, patience=_REDIS_SECONDS)
        self._used_up_until = 0.0

    async def turn(self) -> None:
        """Wait shortly until an email may go. Raises Postponed when that is not enough."""
        left = await self._quota_seconds()
        if left > 0:
            # Not all of them at the same moment.
            raise Postponed("Resend's quota is used up", left + random.uniform(1.0, 60.0))  # noqa: S311
        until = time.monotonic() + LONGEST_WAIT
        while (wait := await self._wait()) > 0:
            if time.monotonic() + wait > until:
                raise Postponed("Resend's rate is used up", wait + random.uniform(0.0, 3.0))  # noqa: S311
            await asyncio.sleep(wait)

    async def quota_used_up(self, name: str) -> None:
        """Have nobody try for an hour; whoever tells first logs it."""
        self._used_up_until = time.monotonic() + QUOTA_SECONDS
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                first = await self._redis.set(_QUOTA_KEY, name, ex=QUOTA_SECONDS, nx=True)
        except _REDIS_AWAY:
            first = True
        if first:
            log.warning("notification.quota_used_up", quota=name, seconds=QUOTA_SECONDS)

    async def _quota_seconds(self) -> float:
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                return float(await self._redis.pttl(_QUOTA_KEY)) / 1000
        except _REDIS_AWAY:
            return self._used_up_until - time.monotonic()

    async def _wait(self) -> float:
        try:
            # One at a time: an allowance of several would let twice as many go in its first second.
            taken = await self._rates.take("resend", "emails", 1, self._spacing)
        except LimitUnavailable:
            return 0.0
        return 0.0 if taken.allowed else taken.retry_after
