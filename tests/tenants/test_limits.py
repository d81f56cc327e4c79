"""Limits: each threshold is reached once a period, and sets off just its rules."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tenants.limiting import DAY, PLANNER, Customer, counted
from tests.test_sql import nodes
from worker.database.pool import Pool, Transaction, atomically
from worker.errors import InvalidInput, NotFound
from worker.jobs.overview import ByName
from worker.tenants.limits import crossing
from worker.tenants.limits.crossing import crossed
from worker.tenants.limits.rules import Limits
from worker.tenants.limits.views import LARGEST_LIMIT, WantedLimit

WARN = (80, "send_notification", "threshold_warning")
TELL = (100, "send_notification", "limit_exceeded")
DISABLE = (100, "disable_feature", "search")
JUNE = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
JULY = datetime(2026, 7, 15, 12, 30, tzinfo=UTC)


@pytest.fixture
async def acme(pool: Pool) -> Customer:
    return await Customer.enrolled(pool)


async def test_a_threshold_is_reached_at_exactly_its_percentage(acme: Customer) -> None:
    await acme.limit(7, (50, "send_notification", "threshold_warning"), TELL)
    await acme.count(3)
    assert await acme.reached() == [], "3 of 7 is less than half"
    await acme.count(1)
    assert await acme.reached() == [("calls", 50)]
    await acme.count(2)
    assert await acme.reached() == [("calls", 50)]
    await acme.count(1)
    assert await acme.reached() == [("calls", 50), ("calls", 100)]


@pytest.mark.parametrize("percent", [1, 33, 100, 333, 1000])
async def test_no_level_is_rounded_or_overflows(acme: Customer, percent: int) -> None:
    await acme.limit(LARGEST_LIMIT, (percent, "send_notification", "limit_exceeded"))
    level = -(-LARGEST_LIMIT * percent // 100)
    await acme.count(level - 1)
    assert await acme.reached() == []
    await acme.count(1)
    assert await acme.reached() == [("calls", percent)]


async def test_reaching_is_told_once_and_carries_out_each_rule(acme: Customer) -> None:
    await acme.limit(1000, WARN, TELL, DISABLE, (100, "block_api_key", str(acme.key_id)))
    rings = await acme.count(1500, now=JUNE)
    assert await acme.told() == ["usage.threshold_reached"] * 2
    warned, reached = sorted(await acme.messages(), key=lambda data: int(data["percent"]))
    assert warned["percent"] == 80
    assert reached == {
        "metric": "calls", "period": "month", "periodStart": "2026-06-01T00:00:00Z",
        "periodEnd": "2026-07-01T00:00:00Z", "percent": 100, "quantity": 1500, "limit": 1000,
        "late": False,
    }  # fmt: skip
    jobs = await acme.jobs()
    assert [(j["action"], j["targetId"]) for j in jobs] == [
        ("send_notification", "threshold_warning"), ("send_notification", "limit_exceeded"),
        ("disable_feature", "search"), ("block_api_key", str(acme.key_id)),
    ]  # fmt: skip
    assert jobs[2]["restoreAt"] == "2026-07-01T00:00:00Z"
    assert "restoreAt" not in jobs[1], "what was told stays told"
    assert "calls reached 100 % of its limit of 1,000" in jobs[2]["reason"]
    assert jobs[2]["threshold"]["quantity"] == 1500
    assert len(rings) == 2 + 4
    assert await acme.count(500, now=JUNE) == []
    assert len(await acme.jobs()) == 4


async def test_a_new_period_begins_anew(acme: Customer) -> None:
    await acme.limit(10, TELL, now=JUNE)
    for now in (JUNE, JULY):
        await acme.count(10, now=now)
    assert await acme.reached() == [("calls", 100)] * 2
    assert len(await acme.jobs()) == 2


async def test_what_lasts_is_not_restored_at_the_end_of_the_period(acme: Customer) -> None:
    rule = {"percent": 100, "action": "disable_feature", "targetId": "search"}
    await acme.limit(10, rule | {"restore": "manual"})
    await acme.count(10)
    [job] = await acme.jobs()
    assert "restoreAt" not in job


async def test_limits_are_of_one_organisation_metric_and_period(pool: Pool, acme: Customer) -> None:
    other = await Customer.enrolled(pool, "other")
    await acme.limit(10, TELL)
    await other.count(100)
    await acme.count(100, metric="seats")
    await acme.count(100, period="day")
    assert await acme.reached() == await other.reached() == []


async def test_many_totals_are_looked_at_together(pool: Pool, acme: Customer) -> None:
    other = await Customer.enrolled(pool, "other")
    await acme.limit(10, WARN, TELL)
    await other.limit(10, TELL, metric="seats")

    async def work(connection: Transaction) -> None:
        totals = [
            await counted(connection, "acme", 8),
            await counted(connection, "acme", 99, "unlimited"),
            await counted(connection, "other", 10, "seats"),
        ]
        rings = await crossed(connection, PLANNER, totals)
        assert len(rings) == 2 * 2

    await atomically(pool, work)
    assert await acme.reached() == [("calls", 80)]
    assert await other.reached() == [("seats", 100)]


async def test_counting_that_is_undone_leaves_nothing(pool: Pool, acme: Customer) -> None:
    await acme.limit(10, TELL)

    async def crash(connection: Transaction) -> None:
        total = await counted(connection, "acme", 10)
        assert len(await crossed(connection, PLANNER, [total])) == 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await atomically(pool, crash)
    assert (await acme.reached(), await acme.jobs(), await acme.told()) == ([], [], [])
    await acme.count(10)
    assert len(await acme.jobs()) == 1


async def test_a_period_that_is_over_is_told_of_but_nothing_is_disabled(acme: Customer) -> None:
    await acme.limit(10, TELL, DISABLE, (100, "block_api_key", str(acme.key_id)))
    await acme.count(10, at=JUNE, now=JULY)
    [message] = await acme.messages("usage.threshold_reached")
    assert message["late"] is True
    [job] = await acme.jobs()
    assert (job["action"], job["targetId"]) == ("send_notification", "limit_exceeded")
    assert "after the period's end" in job["reason"]
    await acme.count(10, now=JULY)
    assert len(await acme.jobs()) == 4, "the period of now is another one"


async def test_setting_a_limit_acts_on_what_was_used_already(acme: Customer) -> None:
    await acme.count(9)
    rings = await acme.limit(10, WARN, TELL, DISABLE)
    assert await acme.reached() == [("calls", 80)]
    assert len(rings) == 2
    await acme.limit(9, WARN, TELL, DISABLE)
    assert await acme.reached() == [("calls", 80), ("calls", 100)]
    assert len(await acme.jobs()) == 3


async def test_what_was_archived_counts_when_a_limit_is_set(pool: Pool, acme: Customer) -> None:
    await acme.count(6, at=JUNE)
    await pool.execute(
        "WITH moved AS (DELETE FROM usage_counters RETURNING *) INSERT INTO usage_history"
        " SELECT org_id, metric, period, period_start, period_end, quantity, events FROM moved"
    )
    await acme.count(4, at=JUNE)
    await acme.limit(10, TELL, now=JUNE)
    assert await acme.reached() == [("calls", 100)]


async def test_setting_a_limit_back_or_lower_repeats_nothing(acme: Customer) -> None:
    await acme.limit(10, TELL)
    await acme.count(10)
    assert await acme.limit(100, TELL) == []
    assert await acme.limit(10, TELL) == []
    assert await acme.limit(5, TELL) == []
    await acme.count(1000)
    assert await acme.reached() == [("calls", 100)]
    assert len(await acme.jobs()) == 1


async def test_a_raised_limit_takes_nothing_back_and_is_reached_anew(acme: Customer) -> None:
    await acme.limit(10, TELL)
    await acme.count(10)
    assert await acme.limit(100, TELL) == []
    await acme.count(89)
    assert len(await acme.jobs()) == 1
    await acme.count(1)
    await acme.count(1)
    assert [j["threshold"]["limit"] for j in await acme.jobs()] == [10, 100]
    assert [m["limit"] for m in await acme.messages("usage.threshold_reached")] == [10, 100]


async def test_only_what_is_new_of_a_limits_rules_catches_up(acme: Customer) -> None:
    await acme.limit(10, TELL)
    await acme.count(10)
    rings = await acme.limit(10, DISABLE, TELL, (200, "block_api_key", str(acme.key_id)))
    assert len(rings) == 1, "the feature; the notice was sent, the other level is not reached"
    assert [j["action"] for j in await acme.jobs()] == ["send_notification", "disable_feature"]
    assert await acme.limit(10, DISABLE, TELL) == []
    assert await acme.told() == ["usage.threshold_reached"]


async def test_a_new_rule_of_a_limit_that_was_raised_waits_for_its_level(acme: Customer) -> None:
    await acme.limit(10, TELL)
    await acme.count(10)
    assert await acme.limit(100, TELL, DISABLE) == []


async def test_who_sets_a_limit_and_who_counts_cannot_miss_each_other(
    pool: Pool, acme: Customer
) -> None:
    for round_ in range(10):
        metric = f"calls{round_}"
        await asyncio.gather(
            *(acme.count(1, metric=metric) for _ in range(4)),
            acme.limit(4, TELL, metric=metric),
            *(acme.count(1, metric=metric) for _ in range(4)),
        )
    assert await acme.reached() == [(f"calls{n}", 100) for n in range(10)]
    assert len(await acme.jobs()) == 10


async def test_a_count_that_is_not_committed_is_waited_for(pool: Pool, acme: Customer) -> None:
    async with pool.acquire() as connection:
        counting = connection.transaction()
        await counting.start()
        total = await counted(connection, "acme", 10)
        assert await crossed(connection, PLANNER, [total]) == []
        setting = asyncio.create_task(acme.limit(10, TELL))
        await asyncio.wait([setting], timeout=0.2)
        assert not setting.done()
        await counting.commit()
        assert len(await setting) == 2
    assert await acme.reached() == [("calls", 100)]


async def test_many_who_count_at_once_reach_a_threshold_once(pool: Pool, acme: Customer) -> None:
    await acme.limit(20, WARN, TELL, DISABLE)
    await asyncio.gather(*(acme.count(1) for _ in range(40)))
    assert await acme.reached() == [("calls", 80), ("calls", 100)]
    assert len(await acme.jobs()) == 3
    assert len(await acme.messages("usage.threshold_reached")) == 2


async def test_without_limits_it_is_one_statement(pool: Pool, acme: Customer) -> None:
    said: list[str] = []
    async with pool.acquire() as connection, connection.transaction():
        totals = [await counted(connection, "acme", 10, f"m{n}") for n in range(50)]
        with connection.query_logger(lambda logged: said.append(logged.query)):
            assert await crossed(connection, PLANNER, totals) == []
            assert await crossed(connection, PLANNER, []) == []
    assert said == [crossing.SQL.cross]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_looking_for_limits_reads_no_whole_table(pool: Pool, mode: str) -> None:
    await pool.execute("""
        INSERT INTO organisations (id, name) SELECT 'o' || n, 'x' FROM generate_series(1, 500) n;
        INSERT INTO usage_limits (org_id, metric, period, quantity)
        SELECT 'o' || n, 'm' || m, 'day', 10 FROM generate_series(1, 500) n,
            generate_series(1, 10) m;
        INSERT INTO limit_rules (org_id, metric, period, position, percent, action, target_id)
        SELECT org_id, metric, period, p, 100, 'send_notification', 'x'
        FROM usage_limits, generate_series(0, 1) p;
        INSERT INTO usage_thresholds (org_id, metric, period, period_start, percent, quantity,
            quantity_limit)
        SELECT org_id, metric, period, '2026-01-01', 100, 1, 1 FROM usage_limits;
        ANALYZE usage_limits, limit_rules, usage_thresholds;
    """)
    totals = ", ".join(
        f"'{{{','.join(values)}}}'"
        for values in (
            [f"o{n}" for n in range(50)], [f"m{n % 10}" for n in range(50)], ["day"] * 50,
            ["2026-02-01"] * 50, ["2026-02-02"] * 50, ["5"] * 50,
        )
    )  # fmt: skip
    async with pool.acquire() as connection:
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE crossing AS {crossing.SQL.cross}")
        try:
            [[found]] = await connection.fetch(
                f"EXPLAIN (FORMAT JSON) EXECUTE crossing ({totals}, NULL)"
            )
        finally:
            await connection.execute("DEALLOCATE crossing; RESET plan_cache_mode")
    read = [n["Relation Name"] for n in nodes(found[0]["Plan"]) if n["Node Type"] == "Seq Scan"]
    assert read == []


async def test_limits_are_shown_with_their_rules(pool: Pool, acme: Customer) -> None:
    of_acme = Limits(pool, "acme")
    default = WantedLimit(quantity=10)
    await of_acme.put("calls", "month", default, PLANNER)
    await acme.limit(5, DISABLE, period="day")
    await acme.limit(7, metric="seats")
    shown = await of_acme.get("calls", "month")
    assert [(r.percent, r.action, r.target_id, r.restore) for r in shown.rules] == [
        (*WARN, "period_end"), (*TELL, "period_end"),
    ]  # fmt: skip
    first = await of_acme.page(ByName(limit=2))
    rest = await of_acme.page(
        ByName.model_validate({"limit": 2, "cursor": first.next}, by_alias=True)
    )
    found = [(x.metric, x.period, x.quantity) for x in (*first.items, *rest.items)]
    assert found == [("calls", "day", 5), ("calls", "month", 10), ("seats", "month", 7)]
    assert rest.next is None
    assert await of_acme.delete("calls", "month") == shown
    with pytest.raises(NotFound):
        await of_acme.get("calls", "month")


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ([(100, "disable_feature", "nothing")], {"rules.0.targetId"}),
        ([TELL, (100, "block_api_key", "nothing")], {"rules.1.targetId"}),
        ([(100, "block_api_key", "01890a5d-ac96-774b-bcce-b302099a8057")], {"rules.0.targetId"}),
        ([WARN, TELL, (90, "send_notification", "birthday")], {"rules.2.targetId"}),
        ([TELL, WARN, TELL], {"rules.2"}),
    ],
)
async def test_rules_name_what_there_is(acme: Customer, rules: list[Any], named: set[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        await acme.limit(10, *rules)
    assert set(refused.value.fields) == named
    assert await acme.pool.fetchval("SELECT count(*) FROM usage_limits") == 0


async def test_another_organisations_and_revoked_keys_cannot_be_blocked(
    pool: Pool, acme: Customer
) -> None:
    other = await Customer.enrolled(pool, "other")
    rule = (100, "block_api_key", str(acme.key_id).upper())
    with pytest.raises(InvalidInput):
        await other.limit(10, rule)
    await acme.limit(10, rule)
    assert (await Limits(pool, "acme").get("calls", "month")).rules[0].target_id == str(acme.key_id)
    await pool.execute("UPDATE api_keys SET revoked_at = now() WHERE id = $1", acme.key_id)
    with pytest.raises(InvalidInput):
        await acme.limit(10, rule)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.integers(0, 40), st.integers(0, 1)),
        st.tuples(st.just("limit"), st.integers(1, 60), st.sets(st.sampled_from([50, 80, 100]))),
        st.tuples(st.just("delete")),
        st.tuples(st.just("roll over")),
    ),
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
async def test_every_level_that_is_reached_is_told_once(pool: Pool, steps: list[Any]) -> None:
    acme = await Customer.enrolled(pool, f"o{datetime.now(UTC).timestamp()}")
    now, used, limit, percents = JUNE, {0: 0, 1: 0}, 0, set[int]()
    expected: dict[tuple[datetime, int], list[int]] = {}

    def look(period: int) -> None:
        start = (now - period * DAY).replace(hour=0, minute=0)
        for percent in percents:
            told = expected.get((start, percent), [])
            if limit > max(told, default=0) and used[period] * 100 >= percent * limit:
                expected[start, percent] = [*told, limit]

    for step in steps:
        match step:
            case ("count", quantity, ago):
                used[ago] += quantity
                await acme.count(quantity, period="day", at=now - ago * DAY, now=now)
                look(ago)
            case ("limit", quantity, wanted):
                limit, percents = quantity, wanted
                rules = [(p, "send_notification", "limit_exceeded") for p in sorted(wanted)]
                await acme.limit(quantity, *rules, period="day", now=now)
                look(0)
            case ("delete",) if limit:
                await Limits(pool, acme.id).delete("calls", "day")
                limit = 0
            case ("roll over",):
                now, used = now + timedelta(days=1), {0: 0, 1: used[0]}
    rows = await pool.fetch(
        "SELECT period_start, percent, quantity_limit FROM usage_thresholds WHERE org_id = $1",
        acme.id,
    )
    told = {(*threshold, limit) for threshold, limits in expected.items() for limit in limits}
    assert {tuple(r) for r in rows} == told
    assert len(await acme.messages()) == len(await acme.jobs()) == len(told)
