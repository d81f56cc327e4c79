"""Roll-overs come to the same end whenever, however often and beside whom they are run."""

import asyncio
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.tenants.usage_records import (
    METRIC,
    Used,
    at,
    audited,
    count,
    endpoint,
    messages,
    organisation,
    periods,
    table,
)
from worker.database.pool import Pool
from worker.tenants.periods.calendar import KINDS, Period, period_of
from worker.tenants.periods.rollover import Rollover

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = at("2026-03-10T12:00")


def expected(used: list[Used], zone: ZoneInfo, created: datetime, now: datetime) -> dict[str, Any]:
    """What the record must hold in the end, from what was used alone."""
    sums: dict[tuple[str, Period], list[int]] = defaultdict(lambda: [0, 0])
    for one in used:
        for kind in KINDS:
            total = sums[one.metric, period_of(kind, one.moment, zone)]
            total[0] += one.quantity
            total[1] += 1
    for metric, period in [*sums]:
        current = period_of(period.kind, now, zone)
        if period.end == current.start:
            _ = sums[metric, current]
    rows: list[tuple[Any, ...]] = sorted(
        (m, p.kind, p.start, p.end, *total) for (m, p), total in sums.items()
    )
    walked = []
    for kind in sorted(KINDS):
        period = period_of(kind, created, zone)
        while period.start <= now:
            walked.append((kind, period.start, period.end, period.end <= now))
            period = period_of(kind, period.end, zone)
    return {
        "history": [row for row in rows if row[3] <= now],
        "counters": [row for row in rows if row[3] > now],
        "periods": walked,
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        ("Europe/Berlin", "2026-03-27T20:00"),  # An hour short, and the month's end.
        ("Europe/Berlin", "2026-10-23T20:00"),  # An hour twice.
        ("Australia/Lord_Howe", "2024-04-05T07:00"),  # Half an hour twice.
        ("Africa/Cairo", "2023-04-26T11:00"),  # No midnight.
        ("Pacific/Apia", "2011-12-28T11:00"),  # A day left out.
    ],
)
async def test_whenever_they_run_the_end_is_the_same(
    pool: Pool, zone: str, begin: str, seed: int
) -> None:
    """Never, on every hour, late by a day, by a clock set back: the record is the same."""
    chance, created = random.Random(seed), at(begin)
    end = created + timedelta(hours=80, minutes=chance.randrange(60))
    await organisation(pool, zone=zone, created_at=begin)
    rollover, now, used = Rollover(pool, at_once=chance.choice([3, 1000])), created, []
    while now < end:
        some = [
            Used(chance.choice("abc"), now - chance.random() ** 6 * min(now - created, 2 * DAY),
                 chance.randrange(9))
            for _ in range(chance.randrange(4))
        ]  # fmt: skip
        await count(pool, "acme", some, zone)
        used += some
        now += chance.choice([HOUR / 4, HOUR, HOUR, DAY]) if seed else HOUR
        for _ in range(chance.randrange(3)):
            await rollover.run(min(end, now - chance.choice([0, 0, 1]) * chance.random() * HOUR))
    await rollover.run(end)
    wanted = expected(used, ZoneInfo(zone), created, end)
    assert await table(pool, "usage_history") == wanted["history"]
    assert await table(pool, "usage_counters") == wanted["counters"]
    assert await periods(pool) == wanted["periods"]


async def test_nothing_counted_beside_roll_overs_is_lost_or_doubled(pool: Pool) -> None:
    """Four that roll over, each by a clock of its own, while eight count for now and long ago."""
    organisations = [await organisation(pool, f"org-{n}") for n in range(3)]
    chance, counted = random.Random(7), asyncio.Event()
    sums: dict[str, int] = defaultdict(int)

    async def counting() -> None:
        for _ in range(25):
            org_id = chance.choice(organisations)
            used = [
                Used(chance.choice("ab"), NOON - chance.randrange(5) * HOUR, chance.randrange(9))
                for _ in range(4)
            ]
            await count(pool, org_id, used)
            sums[org_id] += sum(one.quantity for one in used)

    async def rolling() -> None:
        while not counted.is_set():
            await Rollover(pool, at_once=5).run(NOON + chance.randrange(-2, 2) * HOUR)

    rollers = [asyncio.create_task(rolling()) for _ in range(4)]
    await asyncio.gather(*(counting() for _ in range(8)))
    counted.set()
    await asyncio.gather(*rollers)
    await Rollover(pool).run(NOON + 40 * DAY)
    for org_id in organisations:
        rows = await table(pool, "usage_history", org_id)
        for kind in KINDS:
            assert sum(row[4] for row in rows if row[1] == kind) == sums[org_id] > 0
        assert {row[4:] for row in await table(pool, "usage_counters", org_id)} <= {(0, 0)}


async def test_of_many_at_once_one_closes_and_tells(pool: Pool) -> None:
    for n in range(30):
        org_id = await organisation(pool, f"org-{n}", created_at="2026-03-09T23:00")
        await endpoint(pool, org_id)
        await count(pool, org_id, [Used(METRIC, at("2026-03-09T23:30"))])
    done = await asyncio.gather(
        *(Rollover(pool, at_once=7).run(at("2026-03-10")) for _ in range(5))
    )
    assert sum(one.counters for one in done) == 60
    assert sum(one.periods for one in done) == 60
    assert sum(len(one.rings) for one in done) == len(await messages(pool)) == 30
    assert len(await audited(pool)) == 30


async def test_a_clock_that_ran_ahead_changes_no_sum(pool: Pool) -> None:
    await organisation(pool, created_at="2026-03-10T10:00")
    rollover = Rollover(pool)
    await count(pool, "acme", [Used(METRIC, NOON, 5)])
    await rollover.run(NOON + 3 * DAY)
    await count(pool, "acme", [Used(METRIC, NOON, 7)])
    await rollover.run(NOON)
    for days in (1, 4, 40):
        await rollover.run(NOON + days * DAY)
    history = await table(pool, "usage_history")
    assert [(row[1], row[4], row[5]) for row in history] == [
        ("day", 12, 2), ("hour", 12, 2), ("month", 12, 2),
    ]  # fmt: skip
    assert len({row[:2] for row in await periods(pool) if not row[3]}) == 3


async def test_another_time_zone_loses_nothing(pool: Pool) -> None:
    await organisation(pool, zone="Europe/London", created_at="2026-03-29T10:00")
    rollover = Rollover(pool)
    for zone, day in (("Europe/London", 29), ("UTC", 31), ("Asia/Tokyo", 31)):
        await pool.execute("UPDATE organisations SET timezone = $1", zone)
        moment = at(f"2026-03-{day}T12:00")
        await count(pool, "acme", [Used(METRIC, moment, day)], zone)
        await rollover.run(moment)
    await rollover.run(at("2026-06-01T12:00"))
    history = await table(pool, "usage_history")
    for kind in KINDS:
        assert sum(row[4] for row in history if row[1] == kind) == 29 + 31 + 31
    assert [row[0] for row in await periods(pool) if not row[3]] == ["day", "hour", "month"]
