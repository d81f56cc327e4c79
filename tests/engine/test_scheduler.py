"""Schedules fired by running engines: once, at once, and through outages."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.chaos.app import QUEUES, REGISTRY
from tests.chaos.processes import until
from tests.engine.conftest import OpenEngine
from tests.engine.scene import Scene
from tests.support import eventually
from worker.database.pool import Pool, connect_pool
from worker.engine import scheduler as module
from worker.engine.scheduler import Scheduler
from worker.jobs.firing import Firing
from worker.jobs.ring import Bell
from worker.jobs.timetable import BuiltIn
from worker.metrics import REGISTRY as REGISTERED

MODELS = {kind: REGISTRY.get(kind).payload for kind in REGISTRY.kinds()}
MINUTE = timedelta(minutes=1)


def new_scheduler(pool: Pool, redis: ArqRedis, *built_in: BuiltIn) -> Scheduler:
    return Scheduler(Firing(pool, QUEUES, MODELS), Bell(redis), built_in)


async def now(pool: Pool) -> datetime:
    moment: datetime = await pool.fetchval("SELECT now()")
    return moment


async def this_minute(pool: Pool) -> datetime:
    """The tick that was due last."""
    return (await now(pool)).replace(second=0, microsecond=0)


async def scheduled(pool: Pool, next_tick: datetime, **fields: Any) -> None:
    """A schedule of no-op jobs, every minute, whose next tick this is."""
    row = {"name": "every-minute", "queue": "noop", "kind": "noop", "cron": "* * * * *",
           "missed": "catch_up", "next_tick": next_tick} | fields  # fmt: skip
    values = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await pool.execute(f"INSERT INTO schedules ({', '.join(row)}) VALUES ({values})", *row.values())


def enqueued(queue: str) -> float:
    return REGISTERED.get_sample_value("jobs_enqueued_total", {"queue": queue}) or 0.0


async def test_three_engines_fire_and_run_each_tick_once(
    running: OpenEngine, scene: Scene, pool: Pool
) -> None:
    await scheduled(pool, await this_minute(pool) - 19 * MINUTE)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(running())

        async def all_done() -> bool:
            rows = await pool.fetch("SELECT state FROM jobs")
            assert len(rows) >= 20
            assert {r["state"] for r in rows} == {"completed"}
            return True

        await until(all_done)
        ticks = await pool.fetchval("SELECT count(*) FROM schedule_ticks")
        assert ticks in (20, 21)
        assert await pool.fetchval("SELECT count(*) FROM jobs") == ticks
        assert scene.count_noted("done") == ticks


async def test_a_tick_is_looked_after_when_it_comes(running: OpenEngine, pool: Pool) -> None:
    """Not at the end of a pause that began before it."""
    due = await now(pool) + timedelta(seconds=0.7)
    await scheduled(pool, due)
    async with running():
        moved = "SELECT now() FROM schedules WHERE next_tick > $1"
        seen: Any = await eventually(lambda: pool.fetchval(moved, due))
    assert timedelta(0) <= seen - due < timedelta(seconds=1)


async def test_how_long_it_may_pause(pool: Pool, redis: ArqRedis) -> None:
    scheduler = new_scheduler(pool, redis)
    assert await scheduler.fire_due() == module.LONGEST_PAUSE
    await scheduled(pool, await now(pool) + timedelta(seconds=1))
    assert 0 < await scheduler.fire_due() <= 1


async def test_what_another_process_fires_is_waited_for(pool: Pool, redis: ArqRedis) -> None:
    await scheduled(pool, await this_minute(pool))
    scheduler = new_scheduler(pool, redis)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM schedules FOR UPDATE")
        assert await scheduler.fire_due() == module.PAUSE_FOR_OTHERS
    assert await scheduler.fire_due() > 0
    assert await pool.fetchval("SELECT count(*) FROM jobs") in (1, 2), "the minute may end now"


async def test_what_is_fired_is_rung_counted_and_told(
    pool: Pool, redis: ArqRedis, scene: Scene, log: LogCapture
) -> None:
    before = enqueued("noop")
    await scheduled(pool, await this_minute(pool) - 2 * MINUTE, missed="skip")
    await new_scheduler(pool, redis).fire_due()
    jobs = await pool.fetch("SELECT id FROM jobs ORDER BY id")
    assert [await scene.score(job["id"], "noop") is not None for job in jobs] == [True] * len(jobs)
    assert enqueued("noop") == before + len(jobs)
    told = {e["event"]: e for e in log.entries}
    assert told["schedule.fired"]["job_id"] == str(jobs[-1]["id"])
    assert told["schedule.ticks_skipped"]["log_level"] == "warning"


async def test_without_redis_the_job_waits_for_the_reconciler(
    pool: Pool, nowhere: ArqRedis, log: LogCapture
) -> None:
    await scheduled(pool, await this_minute(pool))
    await new_scheduler(pool, nowhere).fire_due()
    assert await pool.fetchval("SELECT count(*) FROM jobs") in (1, 2), "the minute may end now"
    assert "ring.failed" in [e["event"] for e in log.entries]


async def test_a_schedule_that_cannot_be_fired_is_told_once(
    pool: Pool, redis: ArqRedis, log: LogCapture
) -> None:
    await scheduled(pool, await now(pool), cron="nonsense")
    scheduler = new_scheduler(pool, redis)
    for _ in range(2):
        assert await scheduler.fire_due() == module.LONGEST_PAUSE
    [told] = [e for e in log.entries if e["event"] == "schedule.disabled"]
    assert (told["log_level"], told["schedule"]) == ("error", "every-minute")
    assert "cron" in told["error"]


async def test_the_built_in_schedules_are_declared_once_postgres_is_there(
    database_url: str, redis: ArqRedis, log: LogCapture
) -> None:
    pool = await connect_pool(database_url, size=2)
    scheduler = new_scheduler(pool, redis, BuiltIn("built", "", "noop", "noop", "@daily"))
    await pool.execute("ALTER TABLE schedules RENAME TO away")
    with pytest.raises(Exception, match="schedules"):
        await scheduler.fire_due()
    await pool.execute("ALTER TABLE away RENAME TO schedules")
    await scheduler.fire_due()
    assert await pool.fetchval("SELECT name FROM schedules") == "built"
    await pool.close()


async def test_an_outage_of_the_record_is_waited_out(
    database_url: str, redis: ArqRedis, log: LogCapture
) -> None:
    pool = await connect_pool(database_url, size=2)
    scheduler = new_scheduler(pool, redis)
    await pool.close()
    loop = asyncio.create_task(scheduler.run())
    await eventually(lambda: [e["event"] for e in log.entries].count("schedule.delayed") > 1)
    scheduler.stopping.set()
    await asyncio.wait_for(loop, 1.0)
