"""No-op jobs for SAQ on Redis."""

import asyncio
from typing import Any

import uvloop
from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

from tests.benchmarks.peers.script import REDIS_URL, TALLY, TUNING, chosen, chunks, paced

QUEUE = RedisQueue(Redis.from_url(REDIS_URL))


async def noop(_: Any, *, sent: float | None = None) -> None:
    """Do nothing."""
    TALLY.job(sent)


async def fill() -> None:
    """Enqueue the jobs."""
    for size in chunks():
        await asyncio.gather(*(QUEUE.enqueue("noop", ttl=TUNING["ttl"]) for _ in range(size)))


async def send() -> None:
    """Enqueue jobs with the time in them."""
    await paced(lambda sent: QUEUE.enqueue("noop", ttl=TUNING["ttl"], sent=sent))


async def work() -> None:
    """Run jobs until stopped."""
    await Worker(QUEUE, functions=[noop], concurrency=TUNING["concurrency"]).start()


if __name__ == "__main__":
    uvloop.run(chosen(fill=fill, send=send, work=work))
