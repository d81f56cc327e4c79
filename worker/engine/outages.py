"""What an outage looks like, and how to wait one out without spinning."""

import asyncio

from redis.exceptions import RedisError

from worker.errors import RecordUnavailable

# A Redis that answers with an error (out of memory, demoted, loading) is as unusable as none.
REDIS_AWAY: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
OUTAGES: tuple[type[Exception], ...] = (*REDIS_AWAY, RecordUnavailable)


class Patience:
    """Growing pauses, 50 ms to 2 s, that end at once when the process is told to stop."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._pause = 0.05

    def reset(self) -> None:
        """The trouble is over: the next pause is short again."""
        self._pause = 0.05

    async def wait(self) -> None:
        """Pause, longer each time."""
        await sleep_unless(self._stopping, self._pause)
        self._pause = min(self._pause * 2, 2.0)


async def sleep_unless(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, or until `stopping` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
