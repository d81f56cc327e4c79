"""No-op jobs for stock arq, without results. Nothing is logged."""

import asyncio
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import create_worker

from tests.benchmarks.peers.script import REDIS_URL, TALLY, TUNING, chosen, chunks, paced

SETTINGS = RedisSettings.from_dsn(REDIS_URL)


async def noop(_: dict[Any, Any], sent: float | None = None) -> None:
    """Do nothing."""
    TALLY.job(sent)


async def fill() -> None:
    """Enqueue the jobs."""
    redis = await create_pool(SETTINGS)
    for size in chunks():
        await asyncio.gather(*(redis.enqueue_job("noop") for _ in range(size)))


async def send() -> None:
    """Enqueue jobs with the time in them."""
    redis = await create_pool(SETTINGS)
    await paced(lambda sent: redis.enqueue_job("noop", sent))


async def work() -> None:
    """Run jobs until stopped."""
    settings = {"functions": [noop], "redis_settings": SETTINGS, "keep_result": 0, **TUNING}
    await create_worker(settings).async_run()


if __name__ == "__main__":
    uvloop.run(chosen(fill=fill, send=send, work=work))
