"""Roll-overs: what has ended is archived and closed, what has begun is opened, and it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from structlog.testing import capture_logs

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
from worker.tenants.periods.calendar import KINDS, period_of
from worker.tenants.periods.rollover import Rollover

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = at("2026-03-10T12:00")


async def state(pool: Pool) -> dict[str, Any]:
    """Everything that roll-overs write, but when they did."""
    return {
        "counters": await table(pool, "usage_counters"),
        "history": await table(pool, "usage_history"),
        "periods": await periods(pool),
        "messages": await messages(pool),
        "audit": await audited(pool),
    }


async def test_an_hour_ends(pool: Pool) -> None:
    for org_id in ("acme", "idle"):
        await organisation(pool, org_id, created_at="2026-03-10T11:20")
    rollover, early = Rollover(pool), NOON - timedelta(microseconds=1)
    await count(pool, "acme", [Used(METRIC, at("2026-03-10T11:30"), 5), Used(METRIC, NOON, 3)])
    for moment, ended in ((early, 0), (NOON, 1)):
        done = await rollover.run(moment)
        assert (done.periods, done.counters) == (2 * ended, ended)
    assert await table(pool, "usage_history") == [(METRIC, "hour", NOON - HOUR, NOON, 5, 1)]
    day, month = at("2026-03-10"), at("2026-03-01")
    assert await table(pool, "usage_counters") == [
        (METRIC, "day", day, day + DAY, 8, 2),
        (METRIC, "hour", NOON, NOON + HOUR, 3, 1),
        (METRIC, "month", month, at("2026-04-01"), 8, 2),
    ]
    assert await periods(pool) == [
        ("day", day, day + DAY, False),
        ("hour", NOON - HOUR, NOON, True),
        ("hour", NOON, NOON + HOUR, False),
        ("month", month, at("2026-04-01"), False),
    ]
    assert await periods(pool, "idle") == await periods(pool, "acme")


async def test_the_next_period_begins_at_zero(pool: Pool) -> None:
    await organisation(pool, created_at="2026-03-31")
    await count(pool, "acme", [Used(METRIC, at("2026-03-31T23:30"), 5)])
    april = at("2026-04-01")
    await Rollover(pool).run(april)
    assert await table(pool, "usage_counters") == [
        (METRIC, "day", april, april + DAY, 0, 0),
        (METRIC, "hour", april, april + HOUR, 0, 0),
        (METRIC, "month", april, at("2026-05-01"), 0, 0),
    ]
    assert {row[1]: row[4] for row in await table(pool, "usage_history")} == {
        "hour": 5, "day": 5, "month": 5,
    }  # fmt: skip


async def test_what_was_not_used_leaves_no_history(pool: Pool) -> None:
    await organisation(pool, created_at="2026-03-10T10:00")
    await count(pool, "acme", [Used(METRIC, NOON - HOUR)])
    rollover = Rollover(pool)
    await rollover.run(NOON)
    await rollover.run(NOON + HOUR)
    assert [row[:4] for row in await table(pool, "usage_history")] == [
        (METRIC, "hour", NOON - HOUR, NOON)
    ]
    assert "hour" not in {row[1] for row in await table(pool, "usage_counters")}


async def test_usage_of_nothing_is_kept(pool: Pool) -> None:
    await organisation(pool)
    await count(pool, "acme", [Used(METRIC, NOON - HOUR, 0)])
    await Rollover(pool).run(NOON)
    assert await table(pool, "usage_history") == [(METRIC, "hour", NOON - HOUR, NOON, 0, 1)]


async def test_what_is_late_is_added_to_its_own_period(pool: Pool) -> None:
    await organisation(pool)
    await endpoint(pool)
    rollover, long_ago = Rollover(pool), at("2026-03-08T07:30")
    for _ in range(3):
        await count(pool, "acme", [Used(METRIC, long_ago, 2)])
        await rollover.run(NOON)
    history = await table(pool, "usage_history")
    start = at("2026-03-08T07:00")
    assert (METRIC, "hour", start, start + HOUR, 6, 3) in history
    assert (METRIC, "day", at("2026-03-08"), at("2026-03-09"), 6, 3) in history
    [told] = await messages(pool)
    assert told["totals"] == [{"metric": METRIC, "quantity": 2, "events": 1}], "when it was closed"


async def test_a_new_organisation_has_its_periods_opened(pool: Pool) -> None:
    await organisation(pool, zone="Asia/Kathmandu", created_at="2026-03-10T11:59")
    await Rollover(pool).run(NOON)
    kathmandu = ZoneInfo("Asia/Kathmandu")
    opened = [period_of(kind, NOON, kathmandu) for kind in sorted(KINDS)]
    assert await periods(pool) == [(p.kind, p.start, p.end, False) for p in opened]


async def test_so_has_one_that_another_clock_calls_new_already(pool: Pool) -> None:
    await organisation(pool, created_at="2026-04-10")
    await Rollover(pool).run(NOON)
    assert [row[1] for row in await periods(pool)] == [at("2026-03-10"), NOON, at("2026-03-01")]


async def test_days_and_months_are_told_and_audited_once(pool: Pool) -> None:
    await organisation(pool, zone="Europe/Berlin", created_at="2026-03-30T08:00")
    await endpoint(pool)
    used = [Used("a", at("2026-03-30T10:00"), 2), Used("b", at("2026-03-31T10:00"), 7)]
    await count(pool, "acme", used, "Europe/Berlin")
    april = at("2026-03-31T22:00")
    done = await Rollover(pool).run(april)
    assert len(done.rings) == 3
    assert {ring.queue for ring in done.rings} == {"webhooks"}
    told = await messages(pool)
    assert [data["period"] for data in told] == ["month", "day", "day"]
    assert told[0] == {
        "period": "month",
        "periodStart": "2026-02-28T23:00:00+00:00",
        "periodEnd": "2026-03-31T22:00:00+00:00",
        "totals": [
            {"metric": "b", "quantity": 7, "events": 1},
            {"metric": "a", "quantity": 2, "events": 1},
        ],
        "metricsLeftOut": 0,
    }
    assert await audited(pool) == [
        (
            "switchyard",
            "usage.period_closed",
            "usage_period",
            f"{data['period']}:{data['periodStart']}",
        )
        for data in sorted(told, key=lambda data: (data["period"], data["periodStart"]))
    ]
    before = await state(pool)
    again = await Rollover(pool).run(april)
    assert (again.periods, again.counters, again.rings) == (0, 0, [])
    assert await state(pool) == before


async def test_only_the_greatest_totals_are_told(pool: Pool) -> None:
    await organisation(pool, created_at="2026-03-09")
    await endpoint(pool)
    await count(pool, "acme", [Used(f"m{n}", at("2026-03-09T10:00"), n) for n in range(103)])
    await Rollover(pool).run(at("2026-03-10"))
    [day] = await messages(pool)
    assert [one["metric"] for one in day["totals"]] == [f"m{n}" for n in range(102, 2, -1)]
    assert day["metricsLeftOut"] == 3


async def test_days_without_usage_are_not_told(pool: Pool) -> None:
    await organisation(pool, created_at="2026-03-01")
    await endpoint(pool)
    done = await Rollover(pool).run(NOON)
    assert done.periods == 9 * 24 + 12 + 9
    assert (await messages(pool), await audited(pool)) == ([], [])


async def test_a_time_zone_that_is_not_known_here_stops_nobody(pool: Pool) -> None:
    await organisation(pool, "acme", zone="Mars/Olympus")
    await organisation(pool, "bold")
    for org_id in ("acme", "bold"):
        await count(pool, org_id, [Used(METRIC, NOON - HOUR)])
    with capture_logs() as logs:
        await Rollover(pool).run(NOON)
    assert [(log["event"], log["org_id"]) for log in logs] == [
        ("usage_periods.zone_unknown", "acme")
    ]
    assert len(await table(pool, "usage_history", "acme")) == 1, "its counters say when they end"
    assert (await periods(pool, "acme"), len(await table(pool, "usage_history", "bold"))) == ([], 1)


@asynccontextmanager
async def refusing(pool: Pool, name: str) -> AsyncIterator[None]:
    """Let nothing be written to a table."""
    await pool.execute(
        f"CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON {name}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    try:
        yield
    finally:
        await pool.execute(f"DROP TRIGGER refused ON {name}")


@pytest.mark.parametrize("name", ["usage_history", "usage_periods", "audit_events"])
async def test_all_of_an_organisation_or_nothing(pool: Pool, name: str) -> None:
    await organisation(pool, created_at="2026-03-09T23:00")
    await count(pool, "acme", [Used(METRIC, at("2026-03-09T23:30"))])
    rollover = Rollover(pool)
    async with refusing(pool, name):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rollover.run(at("2026-03-10"))
    assert (await table(pool, "usage_history"), await periods(pool)) == ([], [])
    done = await rollover.run(at("2026-03-10"))
    assert (done.counters, done.periods) == (2, 2)
    assert [row[1] for row in await table(pool, "usage_history")] == ["day", "hour"]


async def test_without_a_time_it_is_the_time_of_the_record(pool: Pool) -> None:
    await organisation(pool)
    hour = period_of("hour", await pool.fetchval("SELECT now()"), ZoneInfo("UTC"))
    await count(pool, "acme", [Used(METRIC, hour.start), Used(METRIC, hour.start - HOUR)])
    await Rollover(pool).run()
    assert (METRIC, "hour", hour.start - HOUR, hour.start, 1, 1) in await table(
        pool, "usage_history"
    )
