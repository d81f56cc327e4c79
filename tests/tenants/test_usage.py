"""Counting usage in Postgres: every batch once, all of it or nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from worker.database.pool import Pool
from worker.errors import PermanentError
from worker.jobs.following import FollowUps
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.jobs.tenant_payloads import UsageEvent
from worker.redis_pool import connect_redis
from worker.tenants.periods.rollover import Rollover
from worker.tenants.usage.counting import Batch, tally
from worker.tenants.usage.store import UsageStore

NOON = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
Totals = dict[tuple[str, str, str, str], tuple[int, int]]


def batch(
    batch_id: str, *quantities: int, org: str = "acme", metric: str = "calls", at: datetime = NOON
) -> Batch:
    """A batch of events of one metric at one time."""
    events = [UsageEvent(metric=metric, quantity=q, timestamp=at) for q in quantities]
    return Batch(org, batch_id, tally(events, at))


@pytest.fixture
async def follow_ups(pool: Pool, redis_url: str) -> AsyncIterator[FollowUps]:
    await pool.execute(
        "INSERT INTO organisations (id, name, timezone) VALUES ('acme', 'A', 'Europe/Warsaw'),"
        " ('umbrella', 'U', 'Asia/Kathmandu')"
    )
    redis = connect_redis(redis_url)
    yield FollowUps(pool, redis, QUEUES)
    await redis.aclose()


@pytest.fixture
def store(pool: Pool, follow_ups: FollowUps) -> UsageStore:
    return UsageStore(pool, follow_ups)


async def totals(pool: Pool) -> Totals:
    """Quantity and events of every counter, with what is archived of it."""
    rows = await pool.fetch(
        "SELECT org_id, metric, period, period_start, sum(quantity)::bigint AS quantity,"
        " sum(events)::bigint AS events"
        " FROM (SELECT org_id, metric, period, period_start, quantity, events FROM usage_counters"
        "       UNION ALL SELECT org_id, metric, period, period_start, quantity, events"
        "                 FROM usage_history) parts GROUP BY 1, 2, 3, 4"
    )
    return {
        (r["org_id"], r["metric"], r["period"], f"{r['period_start']:%m-%d %H:%M}"): r[4:6]
        for r in rows
    }


async def limit(pool: Pool, quantity: int, *percents: int) -> None:
    """A limit of acme's monthly calls, with a rule at each percentage."""
    await pool.execute(
        "INSERT INTO usage_limits (org_id, metric, period, quantity)"
        " VALUES ('acme', 'calls', 'month', $1)",
        quantity,
    )
    await pool.executemany(
        "INSERT INTO limit_rules (org_id, metric, period, position, percent, action, target_id)"
        " VALUES ('acme', 'calls', 'month', $1, $2, 'send_notification', 'threshold_warning')",
        list(enumerate(percents)),
    )


async def reached(pool: Pool) -> list[tuple[int, int]]:
    """The percentages that were reached, and the quantities then."""
    rows = await pool.fetch("SELECT percent, quantity FROM usage_thresholds ORDER BY percent")
    return [tuple(row) for row in rows]


async def test_a_batch_is_counted_in_its_organisations_periods(
    pool: Pool, store: UsageStore
) -> None:
    assert await store.count(batch("b", 2, 3)) is True
    assert await store.count(batch("b", 4, org="umbrella")) is True
    assert await totals(pool) == {
        ("acme", "calls", "hour", "06-15 12:00"): (5, 2),
        ("acme", "calls", "day", "06-14 22:00"): (5, 2),
        ("acme", "calls", "month", "05-31 22:00"): (5, 2),
        ("umbrella", "calls", "hour", "06-15 12:15"): (4, 1),
        ("umbrella", "calls", "day", "06-14 18:15"): (4, 1),
        ("umbrella", "calls", "month", "05-31 18:15"): (4, 1),
    }


async def test_a_batch_is_counted_once_by_the_first_of_its_id(
    pool: Pool, store: UsageStore
) -> None:
    assert await store.count(batch("b", 5)) is True
    before = await totals(pool)
    assert await store.count(batch("b", 5)) is False
    assert await store.count(batch("b", 7, metric="other")) is False
    assert await totals(pool) == before


async def test_the_same_batch_many_times_at_once_is_counted_once(
    pool: Pool, follow_ups: FollowUps
) -> None:
    """Within one transaction, and from several processes at a time."""
    stores = [UsageStore(pool, follow_ups) for _ in range(4)]
    verdicts = await asyncio.gather(
        *(store.count(batch(f"b-{n}", 1)) for n in range(10) for store in stores for _ in range(5))
    )
    assert Counter(verdicts) == {True: 10, False: 190}
    assert {*(await totals(pool)).values()} == {(10, 10)}


async def test_workers_that_count_in_crossed_orders_wait_for_nobody_for_ever(
    pool: Pool, follow_ups: FollowUps
) -> None:
    metrics = [f"m-{n}" for n in range(20)]
    stores = [UsageStore(pool, follow_ups) for _ in range(4)]
    async with asyncio.timeout(20):
        for turn in range(10):
            await asyncio.gather(
                *(
                    store.count(batch(f"{turn}-{number}-{m}", 1, metric=m))
                    for number, store in enumerate(stores)
                    for m in (metrics if number % 2 else metrics[::-1])
                )
            )
    assert {*(await totals(pool)).values()} == {(40, 40)}


async def test_a_batch_of_nobody_fails_alone(pool: Pool, store: UsageStore) -> None:
    batches = [batch("b", 1), batch("b", 1, org="nobody"), batch("c", 1)]
    good, bad, also_good = await asyncio.gather(
        *(store.count(b) for b in batches), return_exceptions=True
    )
    assert (good, also_good) == (True, True)
    assert isinstance(bad, PermanentError)
    assert "no organisation is 'nobody'" in str(bad)
    assert {*(await totals(pool)).values()} == {(2, 2)}
    assert await pool.fetchval("SELECT count(*) FROM usage_batches") == 2


async def test_a_total_past_all_bounds_fails_alone(pool: Pool, store: UsageStore) -> None:
    await store.count(batch("a", 5, metric="huge"))
    await pool.execute("UPDATE usage_counters SET quantity = $1", 2**63 - 3)
    good, bad = await asyncio.gather(
        store.count(batch("b", 1)), store.count(batch("c", 3, metric="huge")),
        return_exceptions=True,
    )  # fmt: skip
    assert good is True
    assert isinstance(bad, PermanentError)
    assert await pool.fetchval("SELECT count(*) FROM usage_batches") == 2


async def test_what_was_not_committed_is_counted_by_the_next_attempt(
    pool: Pool, store: UsageStore
) -> None:
    await limit(pool, 10, 50)
    # What acts on the threshold comes last in the transaction.
    await pool.execute("ALTER TABLE jobs ADD CONSTRAINT no_room CHECK (kind <> 'auto_action')")
    try:
        with pytest.raises(PermanentError):
            await store.count(batch("b", 6))
        assert (await totals(pool), await reached(pool)) == ({}, [])
    finally:
        await pool.execute("ALTER TABLE jobs DROP CONSTRAINT no_room")
    assert await store.count(batch("b", 6)) is True
    assert {*(await totals(pool)).values()} == {(6, 1)}
    assert await reached(pool) == [(50, 6)]


async def test_thresholds_are_reached_once_a_period(
    pool: Pool, store: UsageStore, redis_url: str
) -> None:
    await limit(pool, 10, 50, 80, 100)
    for number in range(4):
        await store.count(batch(f"june-{number}", 4))
        await store.count(batch(f"june-{number}", 4))
    assert await reached(pool) == [(50, 8), (80, 8), (100, 12)]
    jobs = await pool.fetch("SELECT id, queue, state FROM jobs ORDER BY id")
    assert [(j["queue"], j["state"]) for j in jobs] == [("flagship:auto-actions", "queued")] * 3
    async with Redis.from_url(redis_url) as redis:
        assert await redis.hlen(queue_keys("flagship:auto-actions").jobs) == 3
    await store.count(batch("july", 5, at=NOON + 30 * 24 * HOUR))
    assert await pool.fetchval("SELECT count(*) FROM usage_thresholds") == 4


async def test_what_arrives_late_is_added_to_what_was_archived(
    pool: Pool, store: UsageStore
) -> None:
    await limit(pool, 10, 100)
    await store.count(batch("b", 6))
    await Rollover(pool).run(NOON + 40 * 24 * HOUR)
    assert await pool.fetchval("SELECT sum(quantity) FROM usage_counters") in (None, 0)
    assert await store.count(batch("late", 3)) is True
    assert await reached(pool) == []
    assert await store.count(batch("later", 1)) is True
    assert await reached(pool) == [(100, 10)]
    found = await totals(pool)
    assert found["acme", "calls", "month", "05-31 22:00"] == (10, 3)


async def test_only_old_batches_are_forgotten(pool: Pool, store: UsageStore) -> None:
    for name in ("old", "new"):
        await store.count(batch(name, 1))
    await pool.execute(
        "UPDATE usage_batches SET counted_at = now() - interval '41 days' WHERE batch_id = 'old'"
    )
    assert await store.forget_batches() == 1
    assert await store.forget_batches() == 0
    assert await pool.fetchval("SELECT batch_id FROM usage_batches") == "new"


Sent = tuple[int, int, int]
"""Which batch, how many hours before noon, and how much."""
TURNS = st.lists(
    st.one_of(
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(0, 60), st.integers(0, 100)),
            min_size=1, max_size=6,
        ),
        st.integers(0, 60),
    ),
    max_size=8,
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(turns=TURNS)
async def test_any_order_of_repeated_late_and_archived_batches_gives_the_sums_of_the_first_ones(
    pool: Pool, follow_ups: FollowUps, turns: Sequence[list[Sent] | int]
) -> None:
    """Batches come to one of two workers; a number rolls over what ended so many hours ago."""
    await pool.execute(
        "DELETE FROM usage_batches; DELETE FROM usage_counters; DELETE FROM usage_history"
    )
    stores = [UsageStore(pool, follow_ups) for _ in range(2)]
    expected: Counter[Any] = Counter()
    for turn in turns:
        if isinstance(turn, int):
            await Rollover(pool).run(NOON - turn * HOUR)
            continue
        sent = [
            batch(f"b-{number}", quantity, at=NOON - hours * HOUR)
            for number, hours, quantity in turn
        ]
        counted = await asyncio.gather(*(stores[n % 2].count(b) for n, b in enumerate(sent)))
        for (_, hours, quantity), new in zip(turn, counted, strict=True):
            if new:
                expected[f"{NOON - hours * HOUR:%m-%d %H}:00"] += quantity
                expected["events"] += 1
    distinct = {number for turn in turns if isinstance(turn, list) for number, *_ in turn}
    assert expected.pop("events", 0) == len(distinct)
    found = await totals(pool)
    hours_found = {key[3]: value[0] for key, value in found.items() if key[2] == "hour"}
    assert {k: v for k, v in hours_found.items() if v} == {k: v for k, v in expected.items() if v}
    for kind in ("hour", "day", "month"):
        assert sum(v[0] for k, v in found.items() if k[2] == kind) == sum(expected.values())
