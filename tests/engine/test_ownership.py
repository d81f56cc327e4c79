"""A job belongs to one worker, until that stops or loses it."""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import LogCapture

from tests.chaos.processes import until
from tests.engine.conftest import OpenEngine
from tests.engine.scene import Scene
from tests.support import eventually
from worker.engine.queue_worker import QueueWorker
from worker.jobs.ledger import NotStarted


async def test_stopping_gives_back_what_does_not_end_and_counts_nothing(
    running: OpenEngine, scene: Scene
) -> None:
    async with running() as engine:
        job_id = await scene.rung("gated")
        await scene.begun(job_id)
        await engine.stop(0.05)
        job = await scene.job(job_id)
        assert (job["state"], job["failures"], job["crashes"]) == ("queued", 0, 0)
        assert await scene.history(job_id) == [(1, "released", "Released")]
        assert await scene.owner(job_id) is None
        assert engine.dead_loops() == []
    scene.open_gate()
    async with running():
        assert (await scene.becomes(job_id, "completed"))["attempt"] == 2


async def test_stopping_lets_a_job_end(running: OpenEngine, scene: Scene) -> None:
    async with running() as engine:
        job_id = await scene.rung("work", {"seconds": 0.3})
        await scene.begun(job_id)
        await engine.stop(5.0)
    assert (await scene.job(job_id))["state"] == "completed"


async def test_stopping_while_jobs_are_being_started(running: OpenEngine, scene: Scene) -> None:
    """The record is slow: the start ends only after the worker was asked to stop."""
    async with running() as engine:
        job_id = await scene.add("work")
        async with scene.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM jobs WHERE id = $1 FOR UPDATE", job_id)
            await scene.ring(job_id)
            await eventually(lambda: job_id in engine.workers["work"].held)
            stopping = asyncio.create_task(engine.stop(0.05))
            await asyncio.sleep(0.3)
        await stopping
        job = await scene.job(job_id)
        assert (job["state"], job["crashes"], job["failures"]) == ("queued", 0, 0)
        assert await scene.owner(job_id) is None


async def test_a_lost_lease_interrupts_the_handler_and_records_nothing(
    running: OpenEngine, scene: Scene, log: LogCapture
) -> None:
    async with running() as engine:
        job_id = await scene.rung("gated")
        await scene.begun(job_id)
        await scene.redis.hset("arq:queue:work:owners", str(job_id), "another token")  # type: ignore[misc]
        await scene.pool.execute("UPDATE jobs SET attempt = 2 WHERE id = $1", job_id)
        await engine._beat.once()
        await eventually(lambda: not engine.workers["work"].held)
        job = await scene.job(job_id)
        assert (job["state"], job["attempt"]) == ("running", 2)
        assert await scene.owner(job_id) == "another token"
    assert "job.lost" in [e["event"] for e in log.entries]


async def test_a_finish_that_comes_too_late_is_refused(
    running: OpenEngine, scene: Scene, log: LogCapture
) -> None:
    async with running() as engine:
        job_id = await scene.rung("gated")
        await scene.begun(job_id)
        await scene.pool.execute("UPDATE jobs SET attempt = 2 WHERE id = $1", job_id)
        scene.open_gate()
        await eventually(lambda: not engine.workers["work"].held)
        assert (await scene.job(job_id))["state"] == "running"
    assert "job.refused" in [e["event"] for e in log.entries]


async def test_a_lease_that_lapsed_for_a_moment_is_adopted(
    running: OpenEngine, scene: Scene
) -> None:
    async with running() as engine:
        job_id = await scene.rung("gated")
        await scene.begun(job_id)
        token = await scene.owner(job_id)
        await scene.redis.zadd("arq:queue:work", {str(job_id): 1.0})
        engine.workers["work"]._wakeup.signal("work")
        await until(lambda: owner_changed(scene, job_id, token))
        scene.open_gate()
        job = await scene.becomes(job_id, "completed")
        assert (job["attempt"], job["crashes"]) == (1, 0)
        await until(lambda: scene.forgot(job_id))


async def test_a_live_workers_job_is_never_run_twice(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease lapsed, as while Redis is away; the other worker asks first."""
    async with running() as owner, running() as other:
        job_id = await scene.rung("gated")
        await scene.begun(job_id)
        if job_id in other.workers["work"].held:
            owner, other = other, owner
        token = await scene.owner(job_id)
        asked = told_when_turned_away(other.workers["work"], monkeypatch)
        owner.workers["work"]._stopping.set()
        await scene.redis.zadd("arq:queue:work", {str(job_id): 1.0})
        other.workers["work"]._wakeup.signal("work")
        async with asyncio.timeout(5):
            await asked.wait()
        await until(lambda: not_owned(scene, job_id))
        await owner._beat.once()
        assert await scene.owner(job_id) == token, "renewed by its owner"
        scene.open_gate()
        job = await scene.becomes(job_id, "completed")
        assert (job["attempt"], job["crashes"]) == (1, 0)
        assert await scene.history(job_id) == []


async def test_a_handler_that_ignores_its_cancellation_is_given_up(
    running: OpenEngine, scene: Scene, log: LogCapture
) -> None:
    async with running() as engine:
        worker = engine.workers["work"]
        job_id = await scene.rung("gated")
        await scene.begun(job_id)
        for attempt in (1, 2):
            worker.held[job_id].deadline = 0.0
            engine._overtime.look()
            await until(partial(is_running, scene, job_id, attempt + 1))
        assert await scene.history(job_id) == [(n, "timeout", "TimeoutError") for n in (1, 2)]
        assert worker._free == worker.max_jobs - 3, "both handlers keep their slots"
        scene.open_gate()
        job = await scene.becomes(job_id, "completed")
        assert (job["attempt"], job["failures"], job["crashes"]) == (3, 2, 0)
        await eventually(lambda: worker._free == worker.max_jobs)
    events = [e["event"] for e in log.entries]
    assert "job.ignored_cancellation" in events
    assert events.count("job.refused") == 2, "their late answers"


def told_when_turned_away(worker: QueueWorker, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the worker gives an id back without starting it."""
    told, turn_away = asyncio.Event(), worker._turn_away

    def tell(answer: NotStarted) -> None:
        told.set()
        turn_away(answer)

    monkeypatch.setattr(worker, "_turn_away", tell)
    return told


async def is_running(scene: Scene, job_id: UUID, attempt: int) -> bool:
    """Whether that attempt has begun, in this process too."""
    job = await scene.job(job_id)
    return (job["state"], job["attempt"]) == ("running", attempt)


async def not_owned(scene: Scene, job_id: Any) -> bool:
    """Whether the other worker has given the lease back."""
    return await scene.owner(job_id) is None


async def owner_changed(scene: Scene, job_id: Any, token: str | None) -> bool:
    """Whether another claim holds the id now."""
    return await scene.owner(job_id) not in (None, token)
