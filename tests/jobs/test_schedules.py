"""Schedules as people handle them: made, changed, run by hand; the built-in ones protected."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.database.pool import Pool
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.firing import Firing
from worker.jobs.overview import ByName
from worker.jobs.payloads import PAYLOADS
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring
from worker.jobs.schedules import NewSchedule, ScheduleChange, Schedules
from worker.jobs.states import State
from worker.jobs.timetable import BUILT_IN

HOURLY = {
    "name": "sums", "queue": "flagship:maintenance", "kind": "usage_aggregation",
    "payload": {"period": "hour"}, "cron": "@hourly",
}  # fmt: skip


class Rings(list[Ring]):
    """What was to be rung."""

    def ring(self, rings: Sequence[Ring]) -> None:
        """Note it."""
        self += rings


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def schedules(pool: Pool, rings: Rings) -> Schedules:
    return Schedules(pool, rings, QUEUES)


@pytest.fixture
def firing(pool: Pool) -> Firing:
    return Firing(pool, QUEUES, PAYLOADS)


def new(**fields: Any) -> NewSchedule:
    return NewSchedule(**{**HOURLY, **fields})


async def test_a_new_schedule_falls_due(schedules: Schedules, firing: Firing) -> None:
    made = await schedules.create(new(timezone="Europe/Warsaw", missed="catch_up"))
    assert (made.name, made.built_in, made.enabled, made.ticks) == ("sums", False, True, [])
    assert made.next_tick is not None
    now = datetime.now(UTC)
    assert now < made.next_tick <= now + timedelta(hours=1)
    assert await firing.fire(made.next_tick - timedelta(seconds=1)) is None
    fired = await firing.fire(made.next_tick)
    assert fired is not None
    shown = await schedules.get("sums")
    assert shown.last_tick == made.next_tick
    assert shown.next_tick == made.next_tick + timedelta(hours=1)
    [tick] = shown.ticks
    assert (tick.tick, tick.job_id, tick.by_hand) == (made.next_tick, fired.jobs[0].id, False)
    assert tick.state is State.QUEUED


async def test_the_kind_of_a_queue_with_only_one_need_not_be_named(schedules: Schedules) -> None:
    made = await schedules.create(
        NewSchedule(name="tidy", queue="cleanup", payload={"task": "old_clones"}, cron="@daily")
    )
    assert (made.kind, made.payload) == ("cleanup", {"task": "old_clones", "days": 30})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"kind": None}, {"kind"}),
        ({"kind": "cleanup"}, {"kind"}),
        ({"cron": "* * * *"}, {"cron"}),
        ({"cron": "0 0 30 2 *"}, {"cron"}),
        ({"timezone": "Mars/Base"}, {"timezone"}),
        ({"payload": {"period": "age"}}, {"payload.period"}),
        ({"payload": {"period": "day", "days": 3}}, {"payload.days"}),
    ],
)
async def test_what_could_not_run_is_refused(
    schedules: Schedules, pool: Pool, fields: dict[str, Any], named: set[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await schedules.create(new(**fields))
    assert caught.value.fields.keys() == named
    assert await pool.fetchval("SELECT count(*) FROM schedules") == 0


@pytest.mark.parametrize("name", ["", "Nightly", "a b", "-x", "a" * 101, "é", "a/b", "a\n"])
def test_names_that_no_path_could_hold_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        new(name=name)


async def test_a_name_is_given_once(schedules: Schedules) -> None:
    await schedules.create(new())
    with pytest.raises(Conflict, match="sums"):
        await schedules.create(new(cron="@daily"))
    assert (await schedules.get("sums")).cron == "@hourly"


async def test_schedules_are_listed_by_name_in_pages(schedules: Schedules, firing: Firing) -> None:
    await firing.declare(BUILT_IN)
    await schedules.create(new(name="a-first"))
    names: list[str] = []
    cursor = None
    while True:
        page = await schedules.page(ByName(limit=3, cursor=cursor))
        names += [s.name for s in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert names == sorted(["a-first", *(b.name for b in BUILT_IN)])
    [first] = (await schedules.page(ByName(limit=1))).items
    assert first.last_tick is None


async def test_a_disabled_schedule_has_no_next_tick_and_is_not_fired(
    schedules: Schedules, firing: Firing, pool: Pool
) -> None:
    made = await schedules.create(new(enabled=False))
    assert made.next_tick is None
    assert await firing.fire(datetime(2100, 1, 1, tzinfo=UTC)) is None
    # However long it was off: it begins with the tick that comes next.
    await pool.execute("UPDATE schedules SET next_tick = '2020-01-01'")
    enabled = await schedules.change("sums", ScheduleChange(enabled=True))
    assert enabled.next_tick is not None
    assert enabled.next_tick > datetime.now(UTC)


async def test_disabling_and_enabling_again_repeats_no_tick(
    schedules: Schedules, firing: Firing
) -> None:
    made = await schedules.create(new())
    assert made.next_tick is not None
    await firing.fire(made.next_tick)
    await schedules.change("sums", ScheduleChange(enabled=False))
    again = await schedules.change("sums", ScheduleChange(enabled=True))
    # Real time has not come to the tick that was fired, so it is the next one once more.
    assert again.next_tick == made.next_tick
    fired = await firing.fire(made.next_tick)
    assert fired is not None
    assert fired.jobs == []


async def test_changes_that_leave_the_times_alone_leave_the_next_tick_alone(
    schedules: Schedules, pool: Pool
) -> None:
    await schedules.create(new())
    missed = datetime(2026, 5, 5, 12, tzinfo=UTC)
    await pool.execute("UPDATE schedules SET next_tick = $1", missed)
    changed = await schedules.change(
        "sums",
        ScheduleChange(payload={"period": "day"}, missed="catch_up", description="x", enabled=True),
    )
    assert (changed.payload, changed.missed, changed.description, changed.next_tick) == (
        {"period": "day"}, "catch_up", "x", missed,
    )  # fmt: skip
    moved = await schedules.change("sums", ScheduleChange(timezone="Asia/Kathmandu"))
    assert moved.next_tick is not None
    assert moved.next_tick.minute == 15
    assert moved.next_tick > datetime.now(UTC)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cron": "nonsense"}, {"cron"}), ({"timezone": "Mars/Base"}, {"timezone"}),
        ({"payload": {}}, {"payload.period"}),
    ],
)  # fmt: skip
async def test_a_change_that_could_not_run_changes_nothing(
    schedules: Schedules, change: dict[str, Any], named: set[str]
) -> None:
    before = await schedules.create(new())
    with pytest.raises(InvalidInput) as caught:
        await schedules.change("sums", ScheduleChange(description="x", **change))
    assert caught.value.fields.keys() == named
    assert await schedules.get("sums") == before


async def test_what_cannot_run_can_be_disabled_and_not_enabled(
    schedules: Schedules, pool: Pool
) -> None:
    await schedules.create(new())
    await pool.execute("UPDATE schedules SET payload = '{}'")
    assert not (await schedules.change("sums", ScheduleChange(enabled=False))).enabled
    with pytest.raises(InvalidInput):
        await schedules.change("sums", ScheduleChange(enabled=True))


async def test_running_now_adds_the_job_and_leaves_the_ticks_alone(
    schedules: Schedules, rings: Rings, pool: Pool, firing: Firing
) -> None:
    made = await schedules.create(new(enabled=False))
    first, second = await schedules.run_now("sums"), await schedules.run_now("sums")
    assert first.data == {"period": "hour"}, "a run by hand belongs to no tick"
    assert [r.id for r in rings] == [first.job_id, second.job_id]
    rows = await pool.fetch("SELECT id, queue, state FROM jobs ORDER BY id")
    assert [(r["id"], r["queue"], r["state"]) for r in rows] == [
        (job.job_id, "flagship:maintenance", "queued") for job in (first, second)
    ]
    shown = await schedules.get("sums")
    assert [(t.job_id, t.by_hand) for t in shown.ticks] == [
        (second.job_id, True), (first.job_id, True),
    ]  # fmt: skip
    assert (shown.enabled, shown.next_tick, shown.last_tick) == (False, None, None)
    assert shown.updated_at == made.updated_at


async def test_running_now_at_the_moment_of_a_tick_takes_its_place_in_no_way(
    schedules: Schedules, firing: Firing, pool: Pool
) -> None:
    made = await schedules.create(new())
    assert made.next_tick is not None
    await schedules.run_now("sums")
    fired = await firing.fire(made.next_tick)
    assert fired is not None
    assert len(fired.jobs) == 1
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 2


async def test_a_deleted_schedule_leaves_its_jobs(
    schedules: Schedules, firing: Firing, pool: Pool
) -> None:
    await schedules.create(new())
    await schedules.run_now("sums")
    assert (await schedules.delete("sums")).name == "sums"
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 1
    assert await pool.fetchval("SELECT count(*) FROM schedule_ticks") == 0


async def test_a_tick_outlives_its_job(schedules: Schedules, pool: Pool) -> None:
    await schedules.create(new())
    run = await schedules.run_now("sums")
    await pool.execute("DELETE FROM jobs")
    [tick] = (await schedules.get("sums")).ticks
    assert (tick.job_id, tick.state) == (run.job_id, None)


async def test_built_in_schedules_can_be_switched_and_run_and_nothing_else(
    schedules: Schedules, firing: Firing
) -> None:
    await firing.declare(BUILT_IN)
    off = await schedules.change("retention", ScheduleChange(enabled=False))
    assert (off.enabled, off.built_in) == (False, True)
    with pytest.raises(Conflict, match="built in"):
        await schedules.change("retention", ScheduleChange(enabled=True, cron="@hourly"))
    with pytest.raises(Conflict, match="built in"):
        await schedules.delete("retention")
    assert await schedules.get("retention") == off
    assert (await schedules.run_now("retention")).data == {"days": 30}


async def test_a_schedule_that_is_not_there(schedules: Schedules) -> None:
    for call in (
        schedules.get("gone"), schedules.delete("gone"), schedules.run_now("gone"),
        schedules.change("gone", ScheduleChange(enabled=False)),
    ):  # fmt: skip
        with pytest.raises(NotFound, match="gone"):
            await call


async def test_a_schedule_of_a_newer_version_is_shown_and_not_run(
    schedules: Schedules, pool: Pool
) -> None:
    await schedules.create(new())
    await pool.execute("UPDATE schedules SET kind = 'not_yet_known'")
    assert (await schedules.get("sums")).kind == "not_yet_known"
    with pytest.raises(Conflict, match="not_yet_known"):
        await schedules.run_now("sums")
    assert not (await schedules.change("sums", ScheduleChange(enabled=False))).enabled
