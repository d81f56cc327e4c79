"""The scheduled tasks of usage periods: from their ticks, through the engine, to the record."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.handlers.running import running
from tests.support import eventually
from tests.tenants.usage_records import METRIC, Used, at, count, organisation, periods, table
from worker.database.pool import Pool
from worker.handlers import REGISTRY
from worker.handlers.period_rollover import period_rollover
from worker.handlers.usage_aggregation import usage_aggregation
from worker.jobs.cron import Cron
from worker.jobs.firing import Firing
from worker.jobs.following import FollowUps
from worker.jobs.ids import new_id
from worker.jobs.model import Completed
from worker.jobs.payloads import PAYLOADS, Maintenance, UsageAggregation
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring, queue_keys
from worker.jobs.schedules import Schedules
from worker.jobs.tenant_payloads import AutoAction
from worker.jobs.timetable import BUILT_IN
from worker.tenants.actions import AutomaticActions
from worker.tenants.periods.rollover import Rollover
from worker.tenants.periods.summaries import Summaries

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = at("2026-03-10T12:00")
NAMES = ["period-rollover", "usage-aggregation-hourly", "usage-aggregation-daily"]


def surroundings(pool: Pool, redis: ArqRedis) -> Any:
    """All that the handlers need."""
    return SimpleNamespace(
        rollover=Rollover(pool),
        summaries=Summaries(pool),
        follow_ups=FollowUps(pool, redis, QUEUES),
    )


class Rings(list[Ring]):
    """Whatever is to be rung."""

    def ring(self, rings: Sequence[Ring]) -> None:
        """Note it."""
        self += rings


def working(pool: Pool, redis: ArqRedis) -> AbstractAsyncContextManager[None]:
    """An engine for maintenance."""
    context = surroundings(pool, redis)
    return running(pool, redis, lambda *_: context, "flagship:maintenance")


@pytest.fixture
async def firing(pool: Pool) -> Firing:
    """The built-in schedules, as they are declared."""
    firing = Firing(pool, QUEUES, PAYLOADS)
    await firing.declare(BUILT_IN)
    await pool.execute("UPDATE schedules SET enabled = false WHERE name <> ALL ($1)", NAMES)
    return firing


async def done(pool: Pool) -> list[dict[str, Any]]:
    """What the jobs did, once all have ended."""

    async def ended() -> bool:
        return bool(await pool.fetchval("SELECT every(finished_at IS NOT NULL) FROM jobs"))

    over: bool = await eventually(ended, timeout=10)
    assert over
    rows = await pool.fetch("SELECT state, result, error FROM jobs")
    assert {row["state"] for row in rows} == {"completed"}, [row["error"] for row in rows]
    return [row["result"]["data"] for row in rows]


async def test_from_the_latest_of_missed_ticks_to_the_record(
    pool: Pool, redis: ArqRedis, firing: Firing
) -> None:
    await organisation(pool, created_at="2026-03-07T20:00")
    await count(pool, "acme", [Used(METRIC, NOON - 2 * DAY, 5), Used(METRIC, NOON, 7)])
    await pool.execute("UPDATE schedules SET next_tick = $1 WHERE enabled", NOON - 2 * DAY)
    late = NOON + timedelta(minutes=18)
    fired = [one for _ in NAMES if (one := await firing.fire(late))]
    assert await firing.fire(late) is None
    await pool.execute("UPDATE schedules SET enabled = false")
    rings = [Ring.of(job) for one in fired for job in one.jobs]
    await FollowUps(pool, redis, QUEUES).ring(rings)
    ticks = {one.name: one.ticks for one in fired}
    assert ticks == {
        "period-rollover": [NOON + HOUR / 4],
        "usage-aggregation-hourly": [NOON],
        "usage-aggregation-daily": [at("2026-03-10")],
    }
    async with working(pool, redis):
        assert {"periods": 64 + 3, "counters": 2} in await done(pool)
    assert {row[:3] for row in await table(pool, "usage_history")} == {
        (METRIC, "hour", NOON - 2 * DAY), (METRIC, "day", at("2026-03-08")),
    }  # fmt: skip
    assert len([row for row in await periods(pool) if not row[3]]) == 3
    sums = await pool.fetch("SELECT period, period_start, quantity FROM usage_summaries")
    assert sorted(map(tuple, sums)) == [
        ("day", at("2026-03-08"), 5), ("hour", NOON - 2 * DAY, 5),
    ]  # fmt: skip


async def test_by_hand_it_is_what_ended_last(pool: Pool, redis: ArqRedis, firing: Firing) -> None:
    now = (await pool.fetchval("SELECT now()")).astimezone(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    await organisation(pool, created_at=(hour - HOUR).replace(tzinfo=None).isoformat())
    await count(pool, "acme", [Used(METRIC, hour - HOUR, 5), Used(METRIC, hour + DAY, 7)])
    await pool.execute("UPDATE schedules SET enabled = false")
    rings = Rings()
    for name in NAMES:
        await Schedules(pool, rings, QUEUES).run_now(name)
    await FollowUps(pool, redis, QUEUES).ring(rings)
    async with working(pool, redis):
        assert len(await done(pool)) == 3
    history = await table(pool, "usage_history")
    assert [row[4] for row in history if row[1] == "hour"] == [5]
    sums = await pool.fetch("SELECT quantity FROM usage_summaries WHERE period = 'hour'")
    assert [row["quantity"] for row in sums] == [5]


async def test_twice_is_once(pool: Pool, redis: ArqRedis) -> None:
    await organisation(pool, created_at="2026-03-10T11:00")
    await count(pool, "acme", [Used(METRIC, NOON - HOUR)])
    context = surroundings(pool, redis)
    outcomes = [
        (await period_rollover(Maintenance(tick=NOON), context),
         await usage_aggregation(UsageAggregation(tick=NOON, period="hour"), context))
        for _ in range(2)
    ]  # fmt: skip
    told = [[one.data for one in both if isinstance(one, Completed)] for both in outcomes]
    assert told == [
        [{"periods": 1, "counters": 1}, {"sums": 1}],
        [{"periods": 0, "counters": 0}, {"sums": 0}],
    ]


async def test_what_is_told_is_rung(pool: Pool, redis: ArqRedis) -> None:
    await organisation(pool, created_at="2026-03-09")
    await pool.execute(
        "INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id)"
        " VALUES (gen_random_uuid(), 'acme', 'https://example.com', '', 'k')"
    )
    await count(pool, "acme", [Used(METRIC, at("2026-03-09T10:00"))])
    await period_rollover(Maintenance(tick=NOON), surroundings(pool, redis))
    [job] = await pool.fetch("SELECT id FROM jobs WHERE kind = 'webhook_delivery'")
    client: Any = redis
    assert await client.hkeys(queue_keys("webhooks").jobs) == [str(job["id"]).encode()]


async def test_what_was_to_last_until_the_end_of_the_period_is_over(
    pool: Pool, redis: ArqRedis
) -> None:
    await organisation(pool)
    end = (await pool.fetchval("SELECT now()")) + DAY
    await pool.execute("INSERT INTO feature_flags (org_id, key) VALUES ('acme', 'exports')")
    wanted = AutoAction(
        org_id="acme", action="disable_feature", target_id="exports", reason="too much",
        restore_at=end,
    )  # fmt: skip
    await AutomaticActions(pool).apply(new_id(), wanted, plan=Planner(QUEUES).job)
    for tick, enabled in ((end - HOUR, False), (end, True), (end + HOUR, True)):
        await period_rollover(Maintenance(tick=tick), surroundings(pool, redis))
        assert await pool.fetchval("SELECT enabled FROM feature_flags") is enabled


def test_what_is_promised_is_in_the_timetable() -> None:
    promised = {
        "dead-letter-cleanup": ("dead_letter_cleanup", timedelta(days=7), "2026-03-08T03:00"),
        "old-clones": ("cleanup", DAY, "2026-03-10T02:00"),
        "period-rollover": ("period_rollover", HOUR / 4, "2026-03-10T00:15"),
        "usage-aggregation-hourly": ("usage_aggregation", HOUR, "2026-03-10T01:00"),
        "usage-aggregation-daily": ("usage_aggregation", DAY, "2026-03-10T00:00"),
    }
    timetable = {built_in.name: built_in for built_in in BUILT_IN if built_in.enabled}
    for name, (kind, between, once) in promised.items():
        found = timetable[name]
        ticks = list(islice(Cron(found.cron, "UTC").after(at(once) - HOUR / 60), 100))
        assert (found.kind, ticks[0]) == (kind, at(once))
        assert {b - a for a, b in pairwise(ticks)} == {between}
        model = PAYLOADS[kind].model_validate(found.payload)
        assert getattr(model, "days", 30) == 30
    assert {built_in.kind for built_in in BUILT_IN} <= {*REGISTRY.kinds()}


@pytest.mark.parametrize("name", NAMES)
async def test_who_left_them_off_by_default_has_them_now(pool: Pool, name: str) -> None:
    """An earlier edition had them wait; what it declared is brought up to date."""
    firing = Firing(pool, QUEUES, PAYLOADS)
    await firing.declare(BUILT_IN)
    await pool.execute(
        "UPDATE schedules SET edition = 2, enabled = false, enabled_by_default = false,"
        " cron = '@hourly' WHERE name = $1",
        name,
    )
    await firing.declare(BUILT_IN)
    [row] = await pool.fetch("SELECT enabled, cron, next_tick FROM schedules WHERE name = $1", name)
    assert row["enabled"]
    assert row["next_tick"] > datetime.now(UTC)
    assert row["cron"] == next(b.cron for b in BUILT_IN if b.name == name)
