"""Usage events counted per second by one worker: `python -m tests.benchmarks.usage [--rounds N]`.

The batches are recorded and rung beforehand; then a worker process is started as in production, for
the one queue. The clock runs from the record's first start to its last end. After each round the
counters must hold exactly what was sent. Beside that, what the machine can do at most: the same
events copied into a table without an index, and the same sums added to counters and nothing else.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from subprocess import Popen

import uvloop
from asyncpg import Record

from tests.benchmarks.processes import worker
from worker.database.migrations import migrate
from worker.database.pool import Pool, connect_pool
from worker.embedded import EmbeddedServers
from worker.jobs.ledger import Ledger
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Bell, Ring
from worker.jobs.tenant_payloads import UsageEvent, UsageIngestion
from worker.redis_pool import connect_redis
from worker.tenants.usage import store
from worker.tenants.usage.counting import Batch, growths, tally

QUEUE = "flagship:usage"
END_SECONDS = 60.0
ORGANISATIONS, METRICS, MINUTES = 5, 10, 10
ENDED = """
SELECT count(*) FILTER (WHERE state = 'completed') AS completed,
       count(*) FILTER (WHERE state = 'dead') AS dead,
       extract(epoch FROM max(finished_at) - min(started_at))::float8 AS seconds
FROM jobs WHERE org_id LIKE $1
"""


def main() -> None:
    """Print events a second: the median of the rounds, the lowest and the highest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--events", type=int, default=500, help="in a batch")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with EmbeddedServers() as servers:
        uvloop.run(_measure(servers, options))


async def _measure(servers: EmbeddedServers, options: argparse.Namespace) -> None:
    await migrate(servers.database_url)
    pool = await connect_pool(servers.database_url)
    await pool.execute("CREATE UNLOGGED TABLE raw (org text, metric text, at timestamptz, n int)")
    counted, copied, added = [], [], []
    for number in range(options.rounds):
        batches = _batches(f"r{number}", options.batches, options.events)
        total = options.batches * options.events
        counted.append(total / await _by_worker(servers, pool, f"r{number}-%", batches))
        await _check(pool, f"r{number}-%", batches)
        copied.append(total / await _by_copy(pool, batches))
        added.append(total / await _by_upserts(pool, batches))
    print(
        f"{options.batches} batches of {options.events} events, {options.rounds} rounds; events/s"
    )
    _show("counted by one worker, exactly", counted)
    _show("floor: COPY into a plain table", copied)
    _show("floor: sums added to counters", added)
    await pool.close()


def _show(name: str, rates: list[float]) -> None:
    middle = statistics.median(rates)
    print(f"{name:<34} {middle:>10,.0f}   ({min(rates):,.0f} to {max(rates):,.0f})")


def _batches(prefix: str, count: int, size: int) -> list[UsageIngestion]:
    chance, now = random.Random(prefix), datetime.now(UTC)
    return [
        UsageIngestion(
            org_id=f"{prefix}-{number % ORGANISATIONS}",
            batch_id=f"b-{number}",
            events=[
                UsageEvent(
                    metric=f"api.calls.{chance.randrange(METRICS)}",
                    quantity=chance.randrange(100),
                    timestamp=now - timedelta(seconds=chance.randrange(MINUTES * 60)),
                )
                for _ in range(size)
            ],
        )
        for number in range(count)
    ]


async def _by_worker(
    servers: EmbeddedServers, pool: Pool, organisations: str, batches: Sequence[UsageIngestion]
) -> float:
    """Seconds from the first start to the last end."""
    await pool.execute(
        "INSERT INTO organisations (id, name) SELECT id, id FROM unnest($1::text[]) AS o(id)",
        sorted({batch.org_id for batch in batches}),
    )
    planner, redis = Planner(QUEUES), connect_redis(servers.redis_url)
    jobs = [planner.job(batch) for batch in batches]
    for start in range(0, len(jobs), 50):
        await Ledger(pool).add(jobs[start : start + 50])
    await Bell(redis).ring(map(Ring.of, jobs))
    await redis.aclose()
    await pool.execute("VACUUM ANALYZE")
    with worker("worker.WorkerSettings", servers, WORKER_QUEUES=QUEUE) as process:
        return float((await _ended(process, pool, organisations, len(jobs)))["seconds"])


async def _ended(process: Popen[bytes], pool: Pool, organisations: str, count: int) -> Record:
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        row = await pool.fetchrow(ENDED, organisations)
        assert row is not None
        if row["completed"] == count:
            return row
        if row["dead"] or process.poll() is not None:
            raise RuntimeError(f"{row['dead']} dead letters; worker: {process.poll()}")
        await asyncio.sleep(0.2)
    raise TimeoutError("the batches were not counted in time")


async def _check(pool: Pool, organisations: str, batches: Sequence[UsageIngestion]) -> None:
    """Every hour, day and month holds exactly what was sent."""
    sent: Counter[tuple[str, str]] = Counter()
    for batch in batches:
        for event in batch.events:
            sent[batch.org_id, event.metric] += event.quantity
    for kind in ("hour", "day", "month"):
        rows = await pool.fetch(
            "SELECT org_id, metric, sum(quantity)::bigint AS quantity FROM usage_counters"
            " WHERE org_id LIKE $1 AND period = $2 GROUP BY 1, 2",
            organisations, kind,
        )  # fmt: skip
        assert {(r["org_id"], r["metric"]): r["quantity"] for r in rows} == sent, kind


async def _by_copy(pool: Pool, batches: Sequence[UsageIngestion]) -> float:
    """Seconds to store every event, a batch at a time."""
    async with pool.acquire() as connection:
        begun = time.perf_counter()
        for batch in batches:
            rows = [(batch.org_id, e.metric, e.timestamp, e.quantity) for e in batch.events]
            await connection.copy_records_to_table("raw", records=rows)
        seconds = time.perf_counter() - begun
        await connection.execute("TRUNCATE raw")
    return seconds


async def _by_upserts(pool: Pool, batches: Sequence[UsageIngestion]) -> float:
    """Seconds to add what each batch sums up to, a statement and a commit a batch."""
    now = datetime.now(UTC)
    tallies = [Batch(b.org_id, b.batch_id, tally(b.events, now)) for b in batches]
    arguments = [store.as_columns(growths([(batch, "UTC")])) for batch in tallies]
    begun = time.perf_counter()
    for columns in arguments:
        await pool.execute(store.SQL.add, *columns)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
