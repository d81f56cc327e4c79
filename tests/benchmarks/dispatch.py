"""Durable no-op jobs a second, and idle latency: Switchyard beside stock arq on the same Redis.

    python -m tests.benchmarks.dispatch [--jobs 20000] [--rounds 3]

Each round runs both, in turn, one worker process each, on a queue that was filled beforehand.
Stock arq gets the best of several tunings; it keeps nothing but a Redis key for a job. Switchyard
records each start and each end in Postgres (fsync off, as on every embedded server).
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from arq import create_pool
from arq.connections import RedisSettings

from tests.benchmarks.processes import worker
from worker.database.migrations import migrate
from worker.database.pool import connect_pool
from worker.embedded import EmbeddedServers
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.ring import Bell, Ring
from worker.redis_pool import connect_redis

ARQ_TUNINGS = [(100, 0.01), (500, 0.01), (1000, 0.05)]
LATENCY_SAMPLES = 200
FILL = 2000
END_SECONDS = 180.0


def main() -> None:
    """Print a line for each figure: medians, with the lowest and the highest."""
    options = _options()
    with EmbeddedServers() as servers:
        asyncio.run(migrate(servers.database_url))
        ours, arqs = [], []
        for _ in range(options.rounds):
            ours.append(asyncio.run(_switchyard(servers, options.jobs)))
            arqs.append(max(asyncio.run(_arq(servers, options.jobs // 4, *t)) for t in ARQ_TUNINGS))
        waits = [asyncio.run(_latency(servers)) for _ in range(options.rounds)]
    _show("Switchyard, jobs/s", ours)
    _show("stock arq, best tuning, jobs/s", arqs)
    _show("ratio", [a / b for a, b in zip(ours, arqs, strict=True)])
    _show("idle enqueue to start, p50 ms", [statistics.median(w) for w in waits])
    _show("idle enqueue to start, p95 ms", [statistics.quantiles(w, n=20)[-1] for w in waits])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _show(name: str, values: list[float]) -> None:
    low, high = min(values), max(values)
    print(f"{name:<34} {statistics.median(values):>10,.2f}   ({low:,.2f} to {high:,.2f})")


async def _switchyard(servers: EmbeddedServers, jobs: int) -> float:
    """Jobs a second between the first start and the last end, by the record's own times."""
    pool, redis = await connect_pool(servers.database_url), connect_redis(servers.redis_url)
    await redis.flushdb()
    await pool.execute("TRUNCATE jobs CASCADE")
    new = [NewJob("bench", "noop", {}, 3) for _ in range(jobs)]
    for start in range(0, jobs, FILL):
        await Ledger(pool).add(new[start : start + FILL])
        await Bell(redis).ring(Ring(j.id, j.queue) for j in new[start : start + FILL])
    # As after a minute of any production: the planner knows the table.
    await pool.execute("ANALYZE jobs")
    with worker("tests.benchmarks.app.WorkerSettings", servers):
        await _until(lambda: redis.zcard("arq:queue:bench"))
        left = await pool.fetchval("SELECT count(*) FROM jobs WHERE state <> 'completed'")
        seconds = await pool.fetchval(
            "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM jobs"
        )
    await pool.close()
    await redis.aclose()
    if left:
        raise RuntimeError(f"{left} jobs did not complete")
    return jobs / float(seconds)


async def _arq(servers: EmbeddedServers, jobs: int, max_jobs: int, poll_delay: float) -> float:
    redis = await create_pool(RedisSettings.from_dsn(servers.redis_url))
    await redis.flushdb()
    for start in range(0, jobs, FILL):
        batch = range(start, min(start + FILL, jobs))
        await asyncio.gather(*(redis.enqueue_job("noop", _job_id=f"j{n}") for n in batch))
    tuning = {"ARQ_MAX_JOBS": str(max_jobs), "ARQ_POLL_DELAY": str(poll_delay)}
    with worker("tests.benchmarks.stock.WorkerSettings", servers, **tuning):
        await _until(lambda: redis.zcard("arq:queue"))
        times = await redis.mget("first", "last")
    await redis.aclose()
    return jobs / (float(times[1]) - float(times[0]))


async def _latency(servers: EmbeddedServers) -> list[float]:
    """Milliseconds from just before the ring to the handler's first line, one job at a time."""
    pool, redis = await connect_pool(servers.database_url), connect_redis(servers.redis_url)
    waits = []
    with worker("tests.benchmarks.app.WorkerSettings", servers):
        for _ in range(LATENCY_SAMPLES):
            job = NewJob("bench", "stamp", {}, 3)
            await Ledger(pool).add([job])
            before = time.time()
            await Bell(redis).ring([Ring(job.id, job.queue)])
            stamp = await cast(Awaitable[Any], redis.blpop([f"stamp:{job.id}"], timeout=10))
            waits.append((float(stamp[1]) - before) * 1000)
            # The worker's own bookkeeping of this job is not part of the next one's wait.
            await asyncio.sleep(0.01)
    await pool.close()
    await redis.aclose()
    return waits[10:]


async def _until(left: Callable[[], Awaitable[int]]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while await left():
        if time.monotonic() > deadline:
            raise TimeoutError("the queue did not empty")
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)


if __name__ == "__main__":
    main()
