"""The engine, with the product's own handlers, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arq.connections import ArqRedis

from worker.database.pool import Pool
from worker.engine.engine import Engine
from worker.engine.executor import MakeContext
from worker.handlers import REGISTRY
from worker.jobs.queues import QUEUES


@asynccontextmanager
async def running(
    pool: Pool, redis: ArqRedis, make_context: MakeContext, *queues: str
) -> AsyncIterator[None]:
    """An engine that serves these queues, as long as the block lasts."""
    engine = Engine(
        pool=pool, redis=redis, queues={name: QUEUES[name] for name in queues}, registry=REGISTRY,
        make_context=make_context,
    )  # fmt: skip
    await engine.start()
    try:
        yield
    finally:
        await engine.stop(5.0)
