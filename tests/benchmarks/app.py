"""The worker that the benchmarks run: Switchyard's own, with handlers that do nothing."""

import time
from collections.abc import Awaitable
from typing import Any, cast

from arq.connections import ArqRedis

from worker.app import worker_settings
from worker.database.pool import Pool
from worker.jobs.model import Completed, Outcome, StartedJob
from worker.jobs.payloads import Payload
from worker.jobs.queues import Queue, Retention
from worker.jobs.registry import Registry
from worker.redis_pool import connect_redis
from worker.settings import Settings

REGISTRY = Registry()
QUEUES = {
    "bench": Queue(
        "bench", ("noop", "stamp"), concurrency=1000, keep_completed=Retention(10_000_000)
    )
}


class Nothing(Payload):
    """No fields."""


@REGISTRY.handles(Nothing, queue="bench")
async def noop(_: Nothing, __: Any) -> Outcome:
    """Do nothing."""
    return Completed()


@REGISTRY.handles(Nothing, queue="bench")
async def stamp(_: Nothing, ctx: "Surroundings") -> Outcome:
    """Tell when the handler was reached."""
    now = time.time()
    await cast(Awaitable[int], ctx.redis.lpush(f"stamp:{ctx.job_id}", str(now)))
    return Completed()


class Surroundings:
    """What the handlers need."""

    def __init__(self, redis: ArqRedis, job_id: object) -> None:
        self.redis = redis
        self.job_id = job_id


class Opened:
    """Opened once a process."""

    def __init__(self, settings: Settings, _: Pool) -> None:
        self._redis = connect_redis(settings.redis_url.get_secret_value())

    def context(self, job: StartedJob) -> Surroundings:
        """The second argument of a handler."""
        return Surroundings(self._redis, job.id)

    async def close(self) -> None:
        """End what was opened."""
        await self._redis.aclose()


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        return worker_settings(REGISTRY, QUEUES, Opened)
    raise AttributeError(name)
