"""How many audit events one worker persists a second: `python -m tests.benchmarks.audit`.

The jobs wait before the worker starts; the time is from the first event to the last, by Postgres's
clock. The statement alone, without jobs, is measured beside it, so that a slow machine shows.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime

from tests.benchmarks.programs import switchyard
from tests.benchmarks.stage import Stage, stage
from worker.database.migrations import migrate
from worker.database.pool import Pool, connect_pool
from worker.jobs.ledger import Ledger
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Bell, Ring
from worker.jobs.tenant_payloads import AuditedEvent, AuditEvent, Party
from worker.redis_pool import connect_redis
from worker.tenants.audit.recording import AuditLog

QUEUE, AT_ONCE = "flagship:audit", 500
POLL_SECONDS, LONGEST_SECONDS = 0.05, 120.0
COUNT = "SELECT count(*) FROM audit_events"
SPAN = "SELECT extract(epoch FROM max(recorded_at) - min(recorded_at)) FROM audit_events"


async def main(options: argparse.Namespace) -> None:
    """Print the medians."""
    with stage() as on:
        for name, concurrency in (("as the policy says", None), ("200 at once", 200)):
            rates = [await _through_a_worker(on, options.events, concurrency)
                     for _ in range(options.rounds)]  # fmt: skip
            print(f"one worker, {name}: {statistics.median(rates):,.0f} events/s")
        rates = [await _statement_alone(on, options.events) for _ in range(options.rounds)]
        print(f"the statement alone: {statistics.median(rates):,.0f} events/s")


async def _through_a_worker(on: Stage, events: int, concurrency: int | None) -> float:
    pool = await _prepared(on)
    await _enqueue(on, pool, events)
    variables = {"QUEUE_FLAGSHIP_AUDIT_CONCURRENCY": str(concurrency)} if concurrency else {}
    async with switchyard(on, "worker.WorkerSettings", WORKER_QUEUES=QUEUE, **variables) as worker:
        async with asyncio.timeout(LONGEST_SECONDS):
            while await pool.fetchval(COUNT) < events:
                worker.check()
                await asyncio.sleep(POLL_SECONDS)
    seconds = float(await pool.fetchval(SPAN))
    await pool.close()
    return events / seconds


async def _statement_alone(on: Stage, events: int) -> float:
    pool = await _prepared(on)
    log, sent = AuditLog(pool), [_event(n) for n in range(events)]
    begun = time.perf_counter()
    await asyncio.gather(*map(log.persist, sent))
    seconds = time.perf_counter() - begun
    await pool.close()
    return events / seconds


async def _prepared(on: Stage) -> Pool:
    await on.clear()
    await migrate(on.database_url)
    pool = await connect_pool(on.database_url)
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'Acme')")
    return pool


async def _enqueue(on: Stage, pool: Pool, events: int) -> None:
    planner, ledger = Planner(QUEUES), Ledger(pool)
    async with connect_redis(on.redis_url) as redis:
        for start in range(0, events, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, events))
            jobs = [planner.job(AuditEvent(event=_event(n)), f"audit:acme:{n}") for n in numbers]
            await ledger.add(jobs)
            await Bell(redis).ring([Ring.of(job) for job in jobs])
    await on.settle()


def _event(number: int) -> AuditedEvent:
    return AuditedEvent(
        id=f"event-{number}",
        org_id="acme",
        action="document.opened",
        actor=Party(type="user", id=f"user-{number % 100}"),
        target=Party(type="document", id=f"document-{number % 1000}"),
        occurred_at=datetime.now(UTC),
        context={"remoteAddress": "192.0.2.1", "userAgent": "Mozilla/5.0"},
        metadata={"pages": number % 10},
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(_options()))
