"""The reconciler: what a crash, a flush or an outage left behind is put right."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.chaos.app import QUEUES
from tests.engine.scene import Scene
from tests.support import eventually
from worker.database.pool import Pool
from worker.engine import reconciler as module
from worker.engine.engine import Engine
from worker.engine.reconciler import EPOCH_KEY, Reconciler
from worker.jobs.events import Publisher, channel
from worker.jobs.queues import Retention
from worker.jobs.ring import Bell
from worker.jobs.upkeep import Upkeep
from worker.metrics import REGISTRY

LONG_AGO = datetime.now(UTC) - timedelta(minutes=1)


@pytest.fixture
def reconciler(engine: Engine) -> Reconciler:
    return engine._reconciler


async def test_due_jobs_that_nobody_rang_are_rung(reconciler: Reconciler, scene: Scene) -> None:
    due = await scene.add("work", run_at=LONG_AGO)
    later = await scene.add("work", run_at=datetime.now(UTC) + timedelta(hours=1))
    assert await reconciler.ring_unrung() == 1
    assert await scene.score(due) is not None
    assert await scene.score(later) is None
    assert await reconciler.ring_unrung() == 0


async def test_a_backlog_is_rung_in_rounds(
    reconciler: Reconciler, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "MOST_ROUNDS", 3)
    for _ in range(7):
        await scene.add("work", run_at=LONG_AGO)
    assert await reconciler.ring_unrung() == 6
    assert await reconciler.ring_unrung() == 1


async def test_jobs_of_silent_workers_are_rung_and_those_of_live_ones_are_not(
    engine: Engine, reconciler: Reconciler, scene: Scene
) -> None:
    mine, orphan = await scene.add("work"), await scene.add("work")
    for job_id, worker in ((mine, engine.id), (orphan, "gone")):
        await scene.pool.execute(
            "UPDATE jobs SET state = 'running', worker = $2, attempt = 1 WHERE id = $1",
            job_id, worker,
        )  # fmt: skip
    await engine._beat.once()
    assert await reconciler.ring_abandoned() == 1
    assert await scene.score(orphan) is not None
    assert await scene.score(mine) is None


async def test_lost_memory_voids_every_ring(
    pool: Pool, redis: ArqRedis, scene: Scene, log: LogCapture
) -> None:
    first, second = (
        Reconciler(Upkeep(pool), redis, Bell(redis), Publisher(pool, redis), QUEUES)
        for _ in range(2)
    )
    await first.notice_lost_memory()
    await second.notice_lost_memory()
    assert [e["event"] for e in log.entries] == ["redis.lost_memory"]
    assert log.entries[0]["log_level"] == "info", "a new Redis looks like one that forgot"
    job_id = await scene.add("work", run_at=LONG_AGO)
    await first.ring_unrung()
    await redis.flushdb()
    assert await first.ring_unrung() == 0
    await first.notice_lost_memory()
    assert await first.ring_unrung() == 1
    await second.notice_lost_memory()
    assert [e["event"] for e in log.entries].count("redis.lost_memory") == 3
    await first.notice_lost_memory()
    assert [e["event"] for e in log.entries].count("redis.lost_memory") == 3
    assert await scene.score(job_id) is not None
    assert await redis.exists(EPOCH_KEY) == 1


async def test_overdue_events_are_published(
    reconciler: Reconciler, redis: ArqRedis, scene: Scene
) -> None:
    project, event = uuid4(), uuid4()
    await scene.pool.execute(
        "INSERT INTO events (id, project_id, event, payload, created_at) "
        "VALUES ($1, $2, 'job_dead', '{}'::jsonb, $3)",
        event, project, LONG_AGO,
    )  # fmt: skip
    async with redis.pubsub() as listening:
        await listening.subscribe(channel(project))
        await listening.get_message(timeout=1)
        await reconciler.tick()
        message = await listening.get_message(ignore_subscribe_messages=True, timeout=1)
    assert message is not None
    assert str(event) in message["data"].decode()
    assert await scene.pool.fetchval("SELECT count(published_at) FROM events") == 1


async def test_the_gauges_say_what_the_record_holds(reconciler: Reconciler, scene: Scene) -> None:
    waiting = await scene.add("work", run_at=LONG_AGO)
    await scene.add("work", run_at=datetime.now(UTC) + timedelta(hours=1))
    dead = await scene.add("work")
    await scene.pool.execute(
        "UPDATE jobs SET state = 'dead', finished_at = now() WHERE id = $1", dead
    )
    await reconciler.measure()
    sizes = {s: gauge("queue_size", status=s) for s in ("queued", "scheduled", "in_progress")}
    assert sizes == {"queued": 1, "scheduled": 1, "in_progress": 0}
    assert gauge("dead_letter_jobs") == 1
    assert gauge("oldest_job_age_seconds") == pytest.approx(
        time.time() - LONG_AGO.timestamp(), abs=5
    )
    await scene.pool.execute("DELETE FROM jobs WHERE id = ANY ($1::uuid[])", [waiting, dead])
    await reconciler.measure()
    assert gauge("queue_size", status="queued") == 0
    assert gauge("dead_letter_jobs") == 0
    assert gauge("oldest_job_age_seconds") == 0


async def test_ended_jobs_beyond_the_retention_are_deleted(
    pool: Pool, redis: ArqRedis, scene: Scene
) -> None:
    kept = Retention(2)
    queues = {"work": replace(QUEUES["work"], keep_completed=kept, keep_failed=Retention(1))}
    reconciler = Reconciler(Upkeep(pool), redis, Bell(redis), Publisher(pool, redis), queues)
    completed = [await ended(scene, "completed", minutes) for minutes in range(5)]
    dead = [await ended(scene, "dead", minutes) for minutes in range(3)]
    waiting = await scene.add("work")
    await reconciler.prune()
    left = {row["id"] for row in await pool.fetch("SELECT id FROM jobs")}
    assert left == {*completed[:2], dead[0], waiting}


async def test_a_step_that_fails_does_not_stop_the_others(
    reconciler: Reconciler, scene: Scene, log: LogCapture
) -> None:
    await scene.redis.set("arq:queue:work:jobs", "not a hash")
    await scene.add("work", run_at=LONG_AGO)
    await reconciler.tick()
    failed = [e["step"] for e in log.entries if e["event"] == "reconcile.failed"]
    assert failed == ["ring_unrung"]
    assert gauge("queue_size", status="queued") == 1


async def test_the_loop_ticks_until_it_is_stopped(
    reconciler: Reconciler, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    task = asyncio.create_task(reconciler.run())
    await eventually(lambda: reconciler._ticks >= 8)
    reconciler.stopping.set()
    await task


async def ended(scene: Scene, state: str, minutes_ago: int) -> UUID:
    """A job that ended in that state so long ago."""
    job_id = await scene.add("work")
    await scene.pool.execute(
        "UPDATE jobs SET state = $2, finished_at = now() - make_interval(mins => $3) WHERE id = $1",
        job_id, state, minutes_ago,
    )  # fmt: skip
    return job_id


def gauge(name: str, **labels: str) -> float | None:
    """The value of a gauge for the queue `work`."""
    return REGISTRY.get_sample_value(name, {"queue": "work", **labels})
