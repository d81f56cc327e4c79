"""Our own side of the stage: a migrated record, and jobs put into it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from tests.benchmarks.programs import WORK_SECONDS, Running
from tests.benchmarks.stage import Stage
from worker.database.migrations import migrate
from worker.database.pool import Pool, connect_pool
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.ring import Bell, Ring
from worker.redis_pool import connect_redis

CHUNK = 1000
POLL_SECONDS = 0.2
UP = "SELECT count(*) = $1 FROM workers"
COMPLETED = "SELECT count(*) = $1 FROM jobs WHERE state = 'completed'"
ADD = """
INSERT INTO jobs (id, queue, kind, payload, max_attempts, run_at, rung_at)
SELECT id, 'bench', 'noop', '{}', 3, $2, now() FROM unnest($1::uuid[]) AS n(id)
"""


class Record:
    """The record, and the bell beside it."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self.pool = pool
        self.redis = redis
        self.bell = Bell(redis)
        self._ledger = Ledger(pool)

    async def add(self, jobs: Sequence[NewJob]) -> None:
        """Record jobs, then ring them."""
        for start in range(0, len(jobs), CHUNK):
            chunk = jobs[start : start + CHUNK]
            await self._ledger.add(chunk)
            await self.ring(chunk)

    async def ring(self, jobs: Sequence[NewJob]) -> None:
        """Ring jobs without recording them."""
        await self.bell.ring(map(Ring.of, jobs))

    async def until(self, condition: str, *arguments: int, workers: Iterable[Running] = ()) -> None:
        """Wait for a condition in SQL. Raises when a worker ends, or it takes too long."""
        async with asyncio.timeout(WORK_SECONDS):
            while not await self.pool.fetchval(condition, *arguments):
                for worker in workers:
                    worker.check()
                await asyncio.sleep(POLL_SECONDS)

    async def fill(self, count: int, delay: float = 0.0) -> None:
        """Add many no-op jobs, due after `delay` seconds, as if they had been rung long ago."""
        due = await self.pool.fetchval("SELECT now() + make_interval(secs => $1)", delay)
        for start in range(0, count, CHUNK):
            ids = [new_id() for _ in range(min(CHUNK, count - start))]
            await self.pool.execute(ADD, ids, due)
            await self.bell.ring(Ring(i, "bench", due.timestamp() * 1000) for i in ids)
        await self.pool.execute("VACUUM ANALYZE jobs")


def noop() -> NewJob:
    """A job that does nothing."""
    return NewJob("bench", "noop", {}, 3)


@asynccontextmanager
async def prepared(stage: Stage) -> AsyncIterator[Record]:
    """A cleared stage with our tables."""
    await stage.clear()
    await migrate(stage.database_url)
    async with opened(stage.database_url, stage.redis_url) as record:
        yield record


@asynccontextmanager
async def opened(database_url: str, redis_url: str) -> AsyncIterator[Record]:
    """The record on these servers."""
    pool, redis = await connect_pool(database_url), connect_redis(redis_url)
    try:
        yield Record(pool, redis)
    finally:
        await pool.close()
        await redis.aclose()
