"""What is deleted when it is old, and what stays however old it is."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.jobs.records import delivery, placed, record_delivery
from worker.database.pool import Pool
from worker.jobs import housekeeping as module
from worker.jobs.housekeeping import Housekeeping
from worker.jobs.ids import new_id
from worker.jobs.states import State

OLD, YOUNG = timedelta(days=31), timedelta(days=29)


@pytest.fixture
def housekeeping(pool: Pool) -> Housekeeping:
    return Housekeeping(pool)


async def ended(
    pool: Pool, state: State, ago: timedelta = OLD, delivery_id: str | None = None
) -> UUID:
    """A job that came to this state so long ago."""
    job = await placed(pool, state)
    await pool.execute(
        "UPDATE jobs SET finished_at = finished_at - $2::interval, delivery_id = $3 WHERE id = $1",
        job.id, ago, delivery_id,
    )  # fmt: skip
    return job.id


async def arrived(pool: Pool, delivery_id: str, ago: timedelta = OLD) -> str:
    """A delivery that came so long ago."""
    await record_delivery(pool, delivery_id)
    await pool.execute(
        "UPDATE webhook_events SET received_at = now() - $2::interval WHERE delivery_id = $1",
        delivery_id, ago,
    )  # fmt: skip
    return delivery_id


async def left(pool: Pool, column: str, table: str) -> set[Any]:
    return {r[0] for r in await pool.fetch(f"SELECT {column} FROM {table}")}


async def test_dead_letters_go_when_they_have_been_dead_for_long(
    pool: Pool, housekeeping: Housekeeping
) -> None:
    gone = await ended(pool, State.DEAD)
    stay = {
        await ended(pool, State.DEAD, YOUNG),
        *[await ended(pool, s) for s in (State.COMPLETED, State.CANCELLED, State.SUPERSEDED)],
        *[(await placed(pool, s)).id for s in (State.QUEUED, State.RETRYING, State.RUNNING)],
    }
    await pool.execute(
        "INSERT INTO job_attempts (job_id, attempt, outcome) VALUES ($1, 1, 'failed')", gone
    )
    assert await housekeeping.delete_dead_letters(30) == 1
    assert await left(pool, "id", "jobs") == stay
    assert await left(pool, "job_id", "job_attempts") == set()
    assert await housekeeping.delete_dead_letters(30) == 0


async def test_the_delivery_of_a_deleted_dead_letter_is_closed(
    pool: Pool, housekeeping: Housekeeping
) -> None:
    for delivery_id in ("d-1", "d-2"):
        await ended(pool, State.DEAD, delivery_id=await record_delivery(pool, delivery_id))
    await ended(pool, State.COMPLETED, delivery_id="d-2")
    assert await housekeeping.delete_dead_letters(30) == 2
    assert (await delivery(pool, "d-1"))["closed_at"] is not None
    assert (await delivery(pool, "d-2"))["closed_at"] is None


async def test_deliveries_go_when_no_job_needs_them(pool: Pool, housekeeping: Housekeeping) -> None:
    for name in ("no-jobs", "jobs-gone"):
        await arrived(pool, name)
    for state in (State.COMPLETED, State.CANCELLED, State.SUPERSEDED):
        await ended(pool, state, delivery_id=await arrived(pool, f"gone-{state}"))
    stay = {await arrived(pool, "young", YOUNG)}
    for state in (State.QUEUED, State.RETRYING, State.RUNNING, State.DEAD):
        job = await placed(pool, state)
        stay.add(await arrived(pool, f"needed-{state}"))
        await ended(pool, State.COMPLETED, delivery_id=f"needed-{state}")
        await pool.execute(
            "UPDATE jobs SET delivery_id = $2 WHERE id = $1", job.id, f"needed-{state}"
        )
    assert await housekeeping.delete_deliveries(30) == 5
    assert await left(pool, "delivery_id", "webhook_events") == stay


async def test_much_is_deleted_in_chunks(
    pool: Pool, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for number in range(5):
        await arrived(pool, f"d-{number}")
    assert await housekeeping.delete_deliveries(30) == 5
    assert await left(pool, "delivery_id", "webhook_events") == set()


async def test_ticks_go_but_for_the_latest(pool: Pool, housekeeping: Housekeeping) -> None:
    for name in ("hourly", "yearly"):
        await pool.execute(
            "INSERT INTO schedules (name, queue, kind, cron, next_tick)"
            " VALUES ($1, 'cleanup', 'cleanup', '@daily', now())", name,
        )  # fmt: skip
    ages = {
        "hourly": (0, 29, 31, 32),
        "yearly": (31, 365),
    }
    for name, days in ages.items():
        for age in days:
            await pool.execute(
                "INSERT INTO schedule_ticks (schedule, tick, job_id, fired_at)"
                " VALUES ($1, now() - $2::interval, $3, now() - $2::interval)",
                name, timedelta(days=age), new_id(),
            )  # fmt: skip
    assert await housekeeping.delete_ticks(30) == 3
    rows = await pool.fetch(
        "SELECT schedule, extract(day FROM now() - tick)::int AS age FROM schedule_ticks"
        " ORDER BY schedule, tick DESC"
    )
    assert [(r["schedule"], r["age"]) for r in rows] == [
        ("hourly", 0),
        ("hourly", 29),
        ("yearly", 31),
    ]
