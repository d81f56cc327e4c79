"""Workers killed while they count usage: every batch counts once, every threshold is told once."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import Process, until
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import UsageEvent, UsageIngestion

ZONES = {"acme": "UTC", "hooli": "Asia/Kathmandu", "umbrella": "America/St_Johns"}
PERCENTS = (1, 10, 25, 50, 75, 90, 100)
VARIABLES = SHORT_LEASE | {
    "CHAOS_CRASHES_ALLOWED": "1000",
    "WORKER_QUEUES": "flagship:usage,flagship:auto-actions,flagship:notifications",
}
SUMS = """
SELECT org_id, period, sum(quantity)::bigint, sum(events)::bigint FROM usage_counters GROUP BY 1, 2
"""
# Thresholds that the totals have reached and nobody recorded, or the other way round.
WRONGLY_REACHED = """
WITH due AS (
    SELECT org_id, metric, period, c.period_start, r.percent
    FROM usage_counters c JOIN usage_limits l USING (org_id, metric, period)
    JOIN limit_rules r USING (org_id, metric, period)
    WHERE c.quantity * 100 >= l.quantity * r.percent
), told AS (
    SELECT org_id, metric, period, period_start, percent FROM usage_thresholds
)
(TABLE due EXCEPT TABLE told) UNION ALL (TABLE told EXCEPT TABLE due)
"""
# In a month that is over nothing is disabled any more.
REACHED_NOW = """
SELECT count(*) FROM usage_thresholds t
JOIN usage_counters c USING (org_id, metric, period, period_start) WHERE c.period_end > now()
"""
# Counting takes long enough for most kills to come in the midst of it.
SLOW = """
CREATE FUNCTION chaos_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(0.1);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_slow AFTER INSERT ON usage_counters EXECUTE FUNCTION chaos_slow();
"""
WAITS_FOR = """
SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted)
"""


@dataclass
class Sending:
    """Batches to be counted, some more than once, and what they must add up to."""

    stack: Stack
    chance: random.Random
    sums: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    sent: list[UsageIngestion] = field(default_factory=list)
    jobs: list[UUID] = field(default_factory=list)

    async def prepare(self, limit: int) -> None:
        """Organisations with a limit each, and a rule at each percentage."""
        for org_id, zone in ZONES.items():
            await self.stack.pool.execute(
                "INSERT INTO organisations (id, name, timezone) VALUES ($1, $1, $2)", org_id, zone
            )
        await self.stack.pool.execute(
            "INSERT INTO usage_limits (org_id, metric, period, quantity)"
            " SELECT id, 'calls', 'month', $1 FROM organisations",
            limit,
        )
        await self.stack.pool.execute(
            "INSERT INTO limit_rules (org_id, metric, period, position, percent, action, target_id)"
            " SELECT id, 'calls', 'month', p, p, 'disable_feature', 'export'"
            " FROM organisations CROSS JOIN unnest($1::int[]) AS p",
            PERCENTS,
        )
        await self.stack.pool.execute(
            "INSERT INTO feature_flags (org_id, key) SELECT id, 'export' FROM organisations"
        )
        await self.stack.pool.execute(
            "INSERT INTO notification_preferences (org_id, type, channels)"
            " SELECT id, 'feature_disabled', '{}' FROM organisations"
        )

    async def send(self, new: int, again: int, size: int) -> None:
        """New batches, and some that were sent before, each as a job of its own."""
        batches = [self._batch(size) for _ in range(new)]
        self.sent += batches
        batches += self.chance.choices(self.sent, k=again)
        self.chance.shuffle(batches)
        await self._add([Planner(QUEUES).job(batch) for batch in batches])

    def _batch(self, size: int) -> UsageIngestion:
        org_id = self.chance.choice([*ZONES])
        events = [self._event() for _ in range(size)]
        self.sums[org_id] += sum(event.quantity for event in events)
        self.events[org_id] += size
        batch_id = f"b-{self.events.total()}"
        return UsageIngestion(org_id=org_id, batch_id=batch_id, events=events)

    def _event(self) -> UsageEvent:
        minutes = self.chance.choice((0, 0, 0, 61, 60 * 25))
        return UsageEvent(
            metric="calls",
            quantity=self.chance.randrange(100),
            timestamp=datetime.now(UTC) - timedelta(minutes=minutes),
        )

    async def _add(self, jobs: Sequence[NewJob]) -> None:
        await Ledger(self.stack.pool).add(jobs)
        await self.stack.bell.ring(map(Ring.of, jobs))
        self.jobs += [job.id for job in jobs]

    async def check(self) -> None:
        """Exactly what the distinct batches say was counted, reached and acted upon."""
        pool = self.stack.pool
        found = {tuple(row[:2]): tuple(row[2:]) for row in await pool.fetch(SUMS)}
        assert found == {
            (org_id, period): (self.sums[org_id], self.events[org_id])
            for org_id in ZONES
            for period in ("hour", "day", "month")
        }
        assert await pool.fetchval("SELECT count(*) FROM usage_batches") == len(self.sent)
        assert await pool.fetch(WRONGLY_REACHED) == []
        reached = await pool.fetchval(REACHED_NOW)
        assert reached > 0
        assert await self.stack.count("kind = 'auto_action'") == reached
        assert await self.stack.count("kind = 'usage_ingestion'") == len(self.jobs)
        assert await self.stack.count("state <> 'completed'") == 0


async def worker(stack: Stack) -> Process:
    process = stack.spawn("arq", "tests.chaos.product.WorkerSettings", **VARIABLES)
    await process.logged("worker.started")
    return process


@pytest.mark.parametrize(
    ("table", "counted"),
    [("usage_counters", False), ("job_attempts", True)],
    ids=["before the commit", "between the commit and the end of the jobs"],
)
async def test_a_worker_that_is_killed_while_it_counts_loses_and_repeats_nothing(
    stack: Stack, chance: random.Random, table: str, counted: bool
) -> None:
    """Held up by a lock, so that it is killed right there."""
    sending = Sending(stack, chance)
    await sending.prepare(limit=5_000)
    victim = await worker(stack)
    async with stack.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        await sending.send(new=15, again=10, size=20)

        async def is_held_up() -> bool:
            return bool(await connection.fetchval(WAITS_FOR, table))

        await until(is_held_up)
        await victim.kill()
        committed = await connection.fetchval("SELECT count(*) FROM usage_batches")
    assert (committed > 0) == counted
    survivor = await worker(stack)
    await stack.settled()
    await sending.check()
    assert await stack.count("crashes = 1") > 0
    await survivor.stop()


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_workers_killed_again_and_again_while_they_count(
    stack: Stack, chance: random.Random
) -> None:
    sending = Sending(stack, chance)
    await sending.prepare(limit=500_000)
    await stack.pool.execute(SLOW)
    workers = [await worker(stack) for _ in range(3)]
    kills = 0
    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(_feed(sending))
        while not feeding.done():
            await asyncio.sleep(chance.uniform(0.3, 1.0))
            victim = workers.pop(chance.randrange(len(workers)))
            await victim.kill()
            kills += 1
            workers.append(await worker(stack))
    await stack.settled(timeout=30)
    await sending.check()
    taken_over = await stack.count("crashes > 0")
    assert taken_over > 0
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    note("kill -9 one of three workers that count usage", "totals exact, thresholds once",
         f"{kills} kills, {len(sending.jobs)} jobs of {len(sending.sent)} batches, "
         f"{sending.events.total():,} events, {taken_over} jobs taken over")  # fmt: skip


async def _feed(sending: Sending) -> None:
    for _ in range(60):
        await sending.send(new=10, again=4, size=100)
        await asyncio.sleep(0.25)
