"""How long a roll-over of many counters takes: `python -m tests.benchmarks.rollover`.

The day of every organisation ends at once: all its counters are archived, new ones opened at zero,
an endpoint and the audit log told. The floor is one statement that moves as many rows and does
nothing else. The exit code is 1 when the median is past the limit; afterwards each round's figures
are compared with what was counted.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from worker.database.migrations import migrate
from worker.database.pool import Pool, connect_pool
from worker.embedded import EmbeddedPostgres
from worker.tenants.periods.rollover import Rollover

LIMIT_SECONDS = 10.0
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
ORGANISATIONS = """
INSERT INTO organisations (id, name, created_at)
SELECT 'org-' || n, 'o', $2::timestamptz - interval '1 hour' FROM generate_series(1, $1::int) n
"""
ENDPOINTS = """
INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id)
SELECT gen_random_uuid(), id, 'https://example.com', '', 'k' FROM organisations
"""
COUNTERS = """
INSERT INTO usage_counters (org_id, metric, period, period_start, period_end, quantity, events)
SELECT id, 'metric.' || n, 'day', $2::timestamptz - interval '1 day', $2, n, 1
FROM organisations, generate_series(1, $1::int) n
"""
FLOOR = """
WITH gone AS (DELETE FROM usage_counters WHERE period_end <= $1 RETURNING *)
INSERT INTO usage_history (org_id, metric, period, period_start, period_end, quantity, events)
SELECT org_id, metric, period, period_start, period_end, quantity, events FROM gone
"""
FOUND = """
SELECT (SELECT sum(quantity) FROM usage_history) AS archived,
       (SELECT count(*) FROM usage_counters WHERE events = 0) AS opened,
       (SELECT count(*) FROM outgoing_messages) AS messages
"""
FORGET = """
DELETE FROM jobs; DELETE FROM outgoing_messages; DELETE FROM usage_counters;
DELETE FROM usage_history; DELETE FROM usage_periods;
"""


async def main(options: argparse.Namespace) -> int:
    """Print median, lowest and highest of both; answers the exit code."""
    with EmbeddedPostgres() as postgres:
        await migrate(postgres.url)
        pool = await connect_pool(postgres.url, size=2)
        try:
            await pool.execute(ORGANISATIONS, options.organisations, MIDNIGHT)
            await pool.execute(ENDPOINTS)
            rounds = [await _round(pool, options) for _ in range(options.rounds)]
        finally:
            await pool.close()
    floors, seconds = ([one[n] for one in rounds] for n in (0, 1))
    print(f"{options.organisations} organisations, {options.metrics} counters each")
    _show("floor, s", floors)
    _show("roll-over, s", seconds)
    print(f"{'times the floor':<16} {statistics.median(seconds) / statistics.median(floors):>6.1f}")
    return int(statistics.median(seconds) > LIMIT_SECONDS)


async def _round(pool: Pool, options: argparse.Namespace) -> tuple[float, float]:
    await _count(pool, options)
    begun = time.perf_counter()
    await pool.execute(FLOOR, MIDNIGHT)
    floor = time.perf_counter() - begun
    await _count(pool, options)
    begun = time.perf_counter()
    await Rollover(pool).run(MIDNIGHT)
    seconds = time.perf_counter() - begun
    n, metrics = options.organisations, options.metrics
    [found] = await pool.fetch(FOUND)
    assert tuple(found) == (n * metrics * (metrics + 1) // 2, n * metrics, n), found
    return floor, seconds


async def _count(pool: Pool, options: argparse.Namespace) -> None:
    await pool.execute(FORGET)
    await pool.execute(COUNTERS, options.metrics, MIDNIGHT)
    for name in ("usage_counters", "usage_history", "usage_periods", "outgoing_messages", "jobs"):
        await pool.execute(f"VACUUM ANALYZE {name}")


def _show(name: str, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    print(f"{name:<16} {statistics.median(values):>6.2f}   ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organisations", type=int, default=1000)
    parser.add_argument("--metrics", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    sys.exit(asyncio.run(main(parser.parse_args())))
