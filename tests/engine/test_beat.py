"""The pulse: leases and the worker's row stay alive, and memory and record agree."""

import asyncio
from uuid import UUID

import pytest
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.chaos.processes import until
from tests.engine.conftest import new_engine
from tests.engine.scene import Scene
from worker.database.pool import connect_pool
from worker.engine.attempts import Held, LeaseLost
from worker.engine.beat import Beat
from worker.engine.engine import Engine
from worker.jobs.ledger import Claim
from worker.jobs.model import StartedJob


@pytest.fixture
def beat(engine: Engine) -> Beat:
    return engine._beat


async def start(engine: Engine, job_id: UUID, *, claimed: bool = True) -> StartedJob:
    """Claim and start a job as this engine does, without running it."""
    claims = (await engine._claims["work"].claim(10)).claims if claimed else []
    [claim] = [c for c in claims if c.id == job_id] or [Claim(job_id, "token")]
    [started] = await engine.ledger.start([claim], engine.id, ["work"])
    assert isinstance(started, StartedJob)
    return started


def hold(engine: Engine, job: StartedJob) -> Held:
    held = Held(job.token, job=job)
    engine.workers["work"].held[job.id] = held
    return held


async def test_a_beat_extends_leases_and_the_workers_row(
    engine: Engine, beat: Beat, scene: Scene
) -> None:
    job_id = await scene.rung("work")
    hold(engine, await start(engine, job_id))
    await scene.redis.zadd("arq:queue:work", {str(job_id): 1.0})
    await beat.once()
    assert (await scene.score(job_id) or 0) > 1.0
    [row] = await scene.pool.fetch("SELECT * FROM workers")
    assert (row["id"], row["running"], row["last_heartbeat"]) == (engine.id, 1, None)
    assert set(row["queues"]) == set(engine.workers)
    await beat.stamp_heartbeat()
    [row] = await scene.pool.fetch("SELECT * FROM workers")
    assert row["last_heartbeat"] is not None
    await beat.leave()
    assert await scene.pool.fetchval("SELECT count(*) FROM workers") == 0


async def test_a_lease_that_somebody_else_owns_interrupts_the_job(
    engine: Engine, beat: Beat, scene: Scene, log: LogCapture
) -> None:
    job_id = await scene.rung("work")
    held = hold(engine, await start(engine, job_id))
    await scene.redis.hset("arq:queue:work:owners", str(job_id), "another token")  # type: ignore[misc]
    await beat.once()
    assert not is_lost(held), "the record has not given it to anybody"
    await scene.pool.execute("UPDATE jobs SET attempt = attempt + 1 WHERE id = $1", job_id)
    await beat.once()
    assert is_lost(held)
    assert "lease.lost" in [e["event"] for e in log.entries]


async def test_what_the_record_says_we_run_and_we_do_not_is_given_back_at_the_second_beat(
    engine: Engine, beat: Beat, scene: Scene
) -> None:
    job_id = await scene.add("work")
    await start(engine, job_id, claimed=False)
    await beat.once()
    assert await scene.score(job_id) is None
    await beat.once()
    assert await scene.score(job_id) is not None
    assert (await scene.job(job_id))["state"] == "queued"
    assert await scene.history(job_id) == [(1, "released", "Released")]


async def test_a_job_that_was_taken_over_is_interrupted_at_the_second_beat(
    engine: Engine, beat: Beat, scene: Scene, log: LogCapture
) -> None:
    job_id = await scene.rung("work")
    held = hold(engine, await start(engine, job_id))
    await scene.pool.execute("UPDATE jobs SET attempt = attempt + 1 WHERE id = $1", job_id)
    await beat.once()
    assert not is_lost(held)
    await beat.once()
    assert is_lost(held)
    assert "job.taken_over" in [e["event"] for e in log.entries]


async def test_losing_what_is_not_held_does_nothing(engine: Engine, scene: Scene) -> None:
    engine.workers["work"].lose(await scene.add("work"))


async def test_a_record_that_hangs_does_not_keep_leases_from_being_renewed(
    engine: Engine, beat: Beat, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.beat.BEAT_SECONDS", 0.05)
    job_id = await scene.rung("work")
    hold(engine, await start(engine, job_id))
    await beat.once()
    async with scene.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM workers FOR UPDATE")
        task = asyncio.create_task(beat.run())
        for _ in range(3):
            await scene.redis.zadd("arq:queue:work", {str(job_id): 1.0})
            await until(lambda: renewed(scene, job_id))
    beat.stopping.set()
    await task


async def test_outages_are_told_and_survived(
    database_url: str, redis: ArqRedis, nowhere: ArqRedis, scene: Scene, log: LogCapture
) -> None:
    job_id = await scene.rung("work")
    held_elsewhere = await start(new_engine(scene.pool, redis), job_id)
    pool = await connect_pool(database_url, size=2)
    engine = new_engine(pool, nowhere)
    held = hold(engine, held_elsewhere)
    pool.terminate()
    await engine._beat.once()
    await engine._beat.stamp_heartbeat()
    await engine._beat.leave()
    assert sorted(e["event"] for e in log.entries) == [
        "lease.renewal_failed", "worker.beat_failed", "worker.farewell_failed",
        "worker.heartbeat_not_recorded",
    ]  # fmt: skip
    assert held.interruption.reason is None


def is_lost(held: Held) -> bool:
    return isinstance(held.interruption.reason, LeaseLost)


async def renewed(scene: Scene, job_id: UUID) -> bool:
    return (await scene.score(job_id) or 0) > 1.0
