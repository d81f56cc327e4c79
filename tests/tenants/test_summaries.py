"""Sums over all organisations: exact, mended when something is late, and written once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.tenants.usage_records import METRIC, Used, at, count, organisation
from worker.database.pool import Pool
from worker.tenants.periods.rollover import Rollover
from worker.tenants.periods.summaries import Summaries

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON, MIDNIGHT = at("2026-03-10T12:00"), at("2026-03-10")


@pytest.fixture
def summaries(pool: Pool) -> Summaries:
    return Summaries(pool)


async def sums(pool: Pool) -> list[tuple[Any, ...]]:
    """Every sum: kind, start, metric, organisations, quantity, events."""
    rows = await pool.fetch(
        "SELECT period, period_start, metric, organisations, quantity, events"
        " FROM usage_summaries ORDER BY period, period_start, metric"
    )
    return [tuple(row) for row in rows]


async def two(pool: Pool) -> None:
    """Two organisations that used something in the hour before noon, one of them twice."""
    for org_id in ("acme", "bold"):
        await organisation(pool, org_id)
        await count(pool, org_id, [Used("a", NOON - HOUR, 5), Used("b", NOON)])
    await count(pool, "bold", [Used("b", NOON - timedelta(minutes=1), 2)])


async def test_the_hour_that_ended_is_summed_up(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    assert await summaries.sum_up("hour", NOON) == 2
    assert await sums(pool) == [
        ("hour", NOON - HOUR, "a", 2, 10, 2),
        ("hour", NOON - HOUR, "b", 1, 2, 1),
    ]


async def test_archived_or_not_the_sum_is_the_same(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    await summaries.sum_up("hour", NOON)
    before = await sums(pool)
    await Rollover(pool).run(NOON)
    assert await summaries.sum_up("hour", NOON) == 0
    await pool.execute("DELETE FROM usage_summaries")
    assert await summaries.sum_up("hour", NOON) == 2
    assert await sums(pool) == before


async def test_what_is_archived_in_part_is_counted_once(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    await Rollover(pool).run(NOON)
    await count(pool, "acme", [Used("a", NOON - HOUR, 7)])
    assert await summaries.sum_up("hour", NOON) == 2
    assert (await sums(pool))[0] == ("hour", NOON - HOUR, "a", 2, 17, 3)


async def test_an_hour_that_has_not_ended_is_not_summed_up(
    pool: Pool, summaries: Summaries
) -> None:
    await two(pool)
    assert await summaries.sum_up("hour", NOON - timedelta(microseconds=1)) == 0
    assert await summaries.sum_up("day", NOON + 11 * HOUR) == 0
    assert await sums(pool) == []


async def test_a_day_is_the_sum_of_its_hours(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    await Rollover(pool).run(NOON)
    await count(pool, "acme", [Used("a", MIDNIGHT, 3), Used("a", MIDNIGHT + DAY), Used("c", NOON)])
    await count(pool, "acme", [Used("a", MIDNIGHT - timedelta(seconds=1))])
    assert await summaries.sum_up("day", MIDNIGHT + DAY) == 4
    assert await sums(pool) == [
        ("day", MIDNIGHT - DAY, "a", 1, 1, 1),
        ("day", MIDNIGHT, "a", 2, 13, 3),
        ("day", MIDNIGHT, "b", 2, 4, 3),
        ("day", MIDNIGHT, "c", 1, 1, 1),
    ]


async def test_what_arrives_late_mends_only_its_own_sum(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    await summaries.sum_up("hour", NOON)
    await pool.execute("UPDATE usage_summaries SET summed_at = 'epoch'")
    await count(pool, "acme", [Used("a", NOON - HOUR), Used("z", NOON - 40 * HOUR)])
    assert await summaries.sum_up("hour", NOON + HOUR / 2) == 2
    assert (await sums(pool))[:2] == [
        ("hour", NOON - 40 * HOUR, "z", 1, 1, 1),
        ("hour", NOON - HOUR, "a", 2, 11, 3),
    ]
    untouched = "SELECT metric FROM usage_summaries WHERE summed_at = 'epoch'"
    assert [row["metric"] for row in await pool.fetch(untouched)] == ["b"]


async def test_hours_after_the_last_summed_up_are_made_up_for(
    pool: Pool, summaries: Summaries
) -> None:
    await organisation(pool)
    used = [NOON, NOON + HOUR, NOON + 30 * HOUR]
    await count(pool, "acme", [Used(METRIC, moment) for moment in used])
    await summaries.sum_up("hour", NOON + HOUR)
    await summaries.sum_up("hour", NOON + 10 * DAY)
    assert [row[1] for row in await sums(pool)] == used


async def test_hours_that_lie_across_count_where_they_begin(
    pool: Pool, summaries: Summaries
) -> None:
    await organisation(pool, zone="Asia/Kathmandu")
    used = [Used(METRIC, at("2026-03-10T10:14")), Used(METRIC, at("2026-03-10T10:15"))]
    await count(pool, "acme", used, "Asia/Kathmandu")
    await summaries.sum_up("hour", NOON)
    assert [row[1] for row in await sums(pool)] == [at("2026-03-10T09:00"), at("2026-03-10T10:00")]


async def test_counters_at_zero_are_nobodys_usage(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    await Rollover(pool).run(NOON + HOUR)
    assert await pool.fetchval("SELECT count(*) FROM usage_counters WHERE events = 0") == 2
    await summaries.sum_up("hour", NOON + 2 * HOUR)
    assert {row[1] for row in await sums(pool)} == {NOON - HOUR, NOON}


async def test_of_two_at_once_both_leave_the_same(pool: Pool, summaries: Summaries) -> None:
    await two(pool)
    await asyncio.gather(*(summaries.sum_up("hour", NOON) for _ in range(4)))
    assert [row[4] for row in await sums(pool)] == [10, 2]


async def test_without_a_time_it_is_the_time_of_the_record(
    pool: Pool, summaries: Summaries
) -> None:
    await organisation(pool)
    now = await pool.fetchval("SELECT now()")
    await count(pool, "acme", [Used(METRIC, now - HOUR), Used(METRIC, now + HOUR)])
    await summaries.sum_up("hour")
    [one] = await sums(pool)
    assert one[1] <= now - HOUR < one[1] + HOUR
