"""Firing: every tick becomes one job, by the schedule's own policy, whoever fires and when."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.jobs.records import enrolled
from worker.database.pool import Pool
from worker.errors import RecordUnavailable
from worker.jobs import firing as module
from worker.jobs import ticks
from worker.jobs.cron import Cron
from worker.jobs.firing import Fired, Firing
from worker.jobs.payloads import PAYLOADS
from worker.jobs.queues import QUEUES
from worker.jobs.timetable import BUILT_IN, BuiltIn

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)
NIGHTLY = BuiltIn("nightly", "", "cleanup", "cleanup", "0 2 * * *", payload={"task": "old_clones"})


@pytest.fixture
def firing(pool: Pool) -> Firing:
    return Firing(pool, QUEUES, PAYLOADS)


async def scheduled(pool: Pool, next_tick: datetime = NOON, **fields: Any) -> None:
    """An hourly schedule whose next tick this is, with these fields changed."""
    row = {
        "name": "hourly", "queue": "flagship:maintenance", "kind": "usage_aggregation",
        "payload": {"period": "hour"}, "cron": "0 * * * *", "missed": "catch_up",
        "next_tick": next_tick,
    } | fields  # fmt: skip
    values = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await pool.execute(f"INSERT INTO schedules ({', '.join(row)}) VALUES ({values})", *row.values())


async def fire_all(firing: Firing, now: datetime) -> list[Fired]:
    """Fire until nothing is due any more."""
    fired = []
    while (one := await firing.fire(now)) is not None:
        fired.append(one)
    return fired


async def row_of(pool: Pool, name: str = "hourly") -> asyncpg.Record:
    found = await pool.fetchrow("SELECT * FROM schedules WHERE name = $1", name)
    assert found is not None
    return found


async def ticks_of(pool: Pool, name: str = "hourly") -> list[datetime]:
    """The ticks recorded, each of which has to have exactly one job of its own."""
    rows = await pool.fetch(
        "SELECT t.tick, t.job_id, j.dedupe_key FROM schedule_ticks t"
        " LEFT JOIN jobs j ON j.id = t.job_id WHERE schedule = $1 ORDER BY tick", name,
    )  # fmt: skip
    assert [r["dedupe_key"] for r in rows] == [
        f"schedule:{name}:{r['tick']:%Y-%m-%dT%H:%M:%S.%fZ}" for r in rows
    ]
    assert await pool.fetchval("SELECT count(*) FROM jobs") == len(rows)
    return [r["tick"] for r in rows]


def hours(*numbers: int) -> list[datetime]:
    return [NOON + n * HOUR for n in numbers]


async def test_nothing_is_fired_before_it_is_due(pool: Pool, firing: Firing) -> None:
    await scheduled(pool)
    assert await firing.fire(NOON - timedelta(microseconds=1)) is None
    assert await ticks_of(pool) == []


async def test_a_tick_becomes_a_job(pool: Pool, firing: Firing) -> None:
    await scheduled(pool)
    fired = await firing.fire(NOON)
    assert fired is not None
    assert (fired.name, fired.ticks, len(fired.jobs)) == ("hourly", [NOON], 1)
    [job] = await pool.fetch("SELECT * FROM jobs")
    assert job["id"] == fired.jobs[0].id
    assert (job["queue"], job["kind"]) == ("flagship:maintenance", "usage_aggregation")
    assert (job["state"], job["max_attempts"]) == ("queued", 1)
    assert job["payload"] == {"period": "hour", "tick": "2026-05-05T12:00:00Z"}
    assert job["correlation_id"] == job["dedupe_key"]
    assert job["traceparent"] is not None
    assert (await row_of(pool))["next_tick"] == NOON + HOUR
    assert await firing.fire(NOON) is None


async def test_a_payload_without_a_tick_stays_as_it_is(pool: Pool, firing: Firing) -> None:
    await scheduled(pool, queue="cleanup", kind="cleanup", payload={"task": "old_clones"})
    await firing.fire(NOON)
    assert await pool.fetchval("SELECT payload FROM jobs") == {"task": "old_clones", "days": 30}


async def test_a_job_about_a_project_is_its_organisations(pool: Pool, firing: Firing) -> None:
    project = await enrolled(pool)
    await pool.execute("UPDATE projects SET org_id = 'acme'")
    payload = {"projectId": str(project)}
    await scheduled(pool, queue="indexing", kind="index", payload=payload)
    await firing.fire(NOON)
    job = await pool.fetchrow("SELECT * FROM jobs")
    assert job is not None
    assert (job["project_id"], job["org_id"]) == (project, "acme")
    assert job["concurrency_key"] == f"project:{project}"


async def test_catching_up_fires_every_missed_tick(pool: Pool, firing: Firing) -> None:
    await scheduled(pool)
    [fired] = await fire_all(firing, NOON + 3 * HOUR + timedelta(minutes=59))
    assert await ticks_of(pool) == hours(0, 1, 2, 3)
    assert [job.payload["tick"][11:16] for job in fired.jobs] == [
        "12:00",
        "13:00",
        "14:00",
        "15:00",
    ]
    assert (await row_of(pool))["next_tick"] == NOON + 4 * HOUR


async def test_skipping_fires_only_the_latest_missed_tick(pool: Pool, firing: Firing) -> None:
    await scheduled(pool, missed="skip")
    [fired] = await fire_all(firing, NOON + 3 * HOUR + timedelta(minutes=59))
    assert (fired.since, fired.ticks) == (NOON, hours(3))
    assert await ticks_of(pool) == hours(3)
    assert (await row_of(pool))["next_tick"] == NOON + 4 * HOUR


async def test_much_is_caught_up_in_rounds_oldest_first(
    pool: Pool, firing: Firing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "MOST_TICKS", 3)
    await scheduled(pool)
    rounds = await fire_all(firing, NOON + 7 * HOUR)
    assert [list(r.ticks) for r in rounds] == [hours(0, 1, 2), hours(3, 4, 5), hours(6, 7)]
    assert await ticks_of(pool) == hours(*range(8))


def test_a_year_of_minutes_is_skipped_at_once() -> None:
    started = time.process_time()
    cron = Cron("* * * * *", "Europe/Warsaw")
    fired, following = ticks.due(cron, "skip", NOON - 365 * DAY, NOON)
    assert (fired, following) == ([NOON], NOON + timedelta(minutes=1))
    assert len(ticks.due(cron, "catch_up", NOON - 365 * DAY, NOON)[0]) == 1000
    assert time.process_time() - started < 1.0


async def test_a_clock_that_steps_back_repeats_no_tick(pool: Pool, firing: Firing) -> None:
    await scheduled(pool)
    await fire_all(firing, NOON + HOUR)
    assert await fire_all(firing, NOON - HOUR) == []
    # Not even if the next tick is worked out anew meanwhile, as after a change of the schedule.
    await pool.execute("UPDATE schedules SET next_tick = $1", NOON)
    [again] = await fire_all(firing, NOON + 2 * HOUR)
    assert [job.payload["tick"][11:16] for job in again.jobs] == ["14:00"]
    assert await ticks_of(pool) == hours(0, 1, 2)


async def test_a_tick_is_not_fired_again_when_its_job_is_long_gone(
    pool: Pool, firing: Firing
) -> None:
    await scheduled(pool)
    await fire_all(firing, NOON)
    await pool.execute("DELETE FROM jobs")
    await pool.execute("UPDATE schedules SET next_tick = $1", NOON)
    [again] = await fire_all(firing, NOON)
    assert (again.ticks, again.jobs) == ([NOON], [])
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 0


async def test_a_tick_of_a_schedule_made_anew_is_not_fired_again_either(
    pool: Pool, firing: Firing
) -> None:
    for _ in range(2):
        await scheduled(pool)
        await fire_all(firing, NOON)
        await pool.execute("DELETE FROM schedules")
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 1


async def test_a_rule_that_moved_a_tick_into_the_past_fires_nothing_old(
    pool: Pool, firing: Firing
) -> None:
    await scheduled(pool, NOON - timedelta(minutes=30), missed="skip", cron="0 2 * * *")
    [fired] = await fire_all(firing, NOON)
    assert (fired.ticks, fired.jobs) == ([], [])
    assert (await row_of(pool))["next_tick"] == datetime(2026, 5, 6, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"cron": "0 0 30 2 *"}, "cron"), ({"cron": "what"}, "cron"),
        ({"timezone": "Mars/Base"}, "timezone"), ({"payload": {"period": "age"}}, "period"),
        ({"payload": {}}, "period"),
    ],
)  # fmt: skip
async def test_a_schedule_that_cannot_be_fired_is_disabled(
    pool: Pool, firing: Firing, broken: dict[str, Any], field: str
) -> None:
    await scheduled(pool, **broken)
    await scheduled(pool, name="sound")
    fired = {one.name: one for one in await fire_all(firing, NOON)}
    assert field in (fired["hourly"].problem or "")
    assert (await row_of(pool))["enabled"] is False
    assert fired["sound"].problem is None
    assert await ticks_of(pool, "sound") == [NOON]


async def test_what_this_process_does_not_serve_is_left_to_others(pool: Pool) -> None:
    await scheduled(pool)
    other_queue = Firing(pool, {"cleanup": QUEUES["cleanup"]}, PAYLOADS)
    other_kind = Firing(pool, QUEUES, {"cleanup": PAYLOADS["cleanup"]})
    for firing in (other_queue, other_kind):
        assert await firing.fire(NOON) is None
        assert await firing.seconds_until_due() == float("inf")
    assert (await row_of(pool))["next_tick"] == NOON


async def test_disabled_schedules_are_not_fired(pool: Pool, firing: Firing) -> None:
    await scheduled(pool, enabled=False)
    assert await firing.fire(NOON) is None
    assert await firing.seconds_until_due() == float("inf")


async def test_many_at_once_fire_each_tick_once(pool: Pool, firing: Firing) -> None:
    for number in range(5):
        await scheduled(pool, name=f"s-{number}")
    await asyncio.gather(*(fire_all(firing, NOON + 2 * HOUR) for _ in range(8)))
    for number in range(5):
        rows = await pool.fetch(
            "SELECT tick FROM schedule_ticks WHERE schedule = $1", f"s-{number}"
        )
        assert sorted(r["tick"] for r in rows) == hours(0, 1, 2)
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 15


async def test_a_schedule_that_is_being_fired_does_not_hold_back_others(
    pool: Pool, firing: Firing
) -> None:
    await scheduled(pool, NOON - HOUR)
    await scheduled(pool, name="other")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM schedules WHERE name = 'hourly' FOR UPDATE")
        assert [one.name for one in await fire_all(firing, NOON)] == ["other"]
    assert [one.name for one in await fire_all(firing, NOON)] == ["hourly"]


async def test_a_process_that_stands_still_while_firing_loses_its_lock(
    pool: Pool, firing: Firing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction is undone, and another process fires the tick."""
    await scheduled(pool)

    def stands_still(*arguments: Any) -> Any:
        monkeypatch.setattr(module, "due", ticks.due)
        # As SIGSTOP would: this process does nothing at all while Postgres waits for it.
        time.sleep(0.6)
        return ticks.due(*arguments)

    monkeypatch.setattr(module, "STANDSTILL", "100ms")
    monkeypatch.setattr(module, "due", stands_still)
    with pytest.raises(RecordUnavailable):
        await firing.fire(NOON)
    assert await ticks_of(pool) == []
    assert [one.name for one in await fire_all(firing, NOON)] == ["hourly"]
    assert await ticks_of(pool) == [NOON]


async def test_a_crash_before_the_commit_leaves_the_tick_to_others(
    pool: Pool, firing: Firing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scheduled(pool)
    with monkeypatch.context() as patched:
        patched.setattr(module.SQL, "advance", "SELECT 1 / 0 WHERE $1::text <> '' AND $2 > now()")
        with pytest.raises(asyncpg.PostgresError):
            await firing.fire(NOON)
    assert await ticks_of(pool) == []
    await fire_all(firing, NOON)
    assert await ticks_of(pool) == [NOON]


async def test_how_long_until_the_next_tick(pool: Pool, firing: Firing) -> None:
    now = await pool.fetchval("SELECT now()")
    assert await firing.seconds_until_due() == float("inf")
    await scheduled(pool, now + HOUR)
    assert 3590 < await firing.seconds_until_due() <= 3600
    await scheduled(pool, now - HOUR, name="overdue")
    assert await firing.seconds_until_due() <= -3600


async def test_the_built_in_schedules_are_declared(pool: Pool, firing: Firing) -> None:
    await firing.declare(BUILT_IN)
    rows = {r["name"]: r for r in await pool.fetch("SELECT *, now() FROM schedules")}
    assert rows.keys() == {b.name for b in BUILT_IN}
    for built_in in BUILT_IN:
        row = rows[built_in.name]
        assert row["enabled"] == row["enabled_by_default"] == built_in.enabled
        assert row["next_tick"] > row["now"]
        assert row["kind"] in QUEUES[row["queue"]].kinds
        PAYLOADS[row["kind"]].model_validate(row["payload"])


async def declared(pool: Pool, built_in: Iterable[BuiltIn], edition: int = 1) -> None:
    await Firing(pool, QUEUES, PAYLOADS).declare([*built_in], edition)


async def test_declaring_again_changes_nothing(pool: Pool) -> None:
    await declared(pool, BUILT_IN)
    before = await pool.fetch("SELECT * FROM schedules ORDER BY name")
    await declared(pool, BUILT_IN)
    assert await pool.fetch("SELECT * FROM schedules ORDER BY name") == before


async def test_a_missed_tick_of_a_built_in_schedule_survives_a_restart(
    pool: Pool, firing: Firing
) -> None:
    await declared(pool, [NIGHTLY])
    await pool.execute("UPDATE schedules SET next_tick = $1", datetime(2026, 5, 5, 2, tzinfo=UTC))
    await declared(pool, [NIGHTLY])
    [fired] = await fire_all(firing, NOON)
    assert len(fired.jobs) == 1


async def test_what_operators_switched_off_or_on_stays_so(pool: Pool) -> None:
    waiting = replace(NIGHTLY, name="waiting", enabled=False)
    await declared(pool, [NIGHTLY, waiting])
    await pool.execute("UPDATE schedules SET enabled = NOT enabled")
    await declared(pool, [replace(NIGHTLY, cron="0 4 * * *"), waiting], edition=2)
    rows = {r["name"]: r for r in await pool.fetch("SELECT * FROM schedules")}
    assert (rows["nightly"]["enabled"], rows["nightly"]["cron"]) == (False, "0 4 * * *")
    assert rows["waiting"]["enabled"] is True


async def test_what_nobody_touched_follows_a_newer_edition(pool: Pool) -> None:
    await declared(pool, [replace(NIGHTLY, enabled=False), replace(NIGHTLY, name="retired")])
    await pool.execute("UPDATE schedules SET next_tick = $1", NOON)
    await declared(pool, [NIGHTLY], edition=2)
    [row] = await pool.fetch("SELECT *, now() FROM schedules")
    assert (row["name"], row["enabled"], row["edition"]) == ("nightly", True, 2)
    assert row["next_tick"] > row["now"], "what was missed while it was off is not fired"


async def test_an_older_edition_changes_nothing(pool: Pool) -> None:
    newer = [replace(NIGHTLY, cron="0 4 * * *"), replace(NIGHTLY, name="new")]
    await declared(pool, newer, edition=2)
    before = await pool.fetch("SELECT * FROM schedules ORDER BY name")
    await declared(pool, [NIGHTLY, replace(NIGHTLY, name="retired")], edition=1)
    assert await pool.fetch("SELECT * FROM schedules ORDER BY name") == before


async def test_what_somebody_made_is_never_taken_over(pool: Pool) -> None:
    await scheduled(pool, name="nightly")
    await declared(pool, [NIGHTLY])
    row = await row_of(pool, "nightly")
    assert (row["kind"], row["edition"]) == ("usage_aggregation", None)
    await declared(pool, [])
    assert (await row_of(pool, "nightly"))["kind"] == "usage_aggregation"
