"""Cancelling what runs: the handler hears of it at once, and it ends whatever the handler does."""

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.chaos.processes import until
from tests.engine.scene import Scene
from tests.engine.steered import steered
from tests.support import eventually
from worker.database.pool import Pool
from worker.engine import control, queue_worker
from worker.jobs import cancelling as service
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import channel
from worker.jobs.presence import ToCancel
from worker.jobs.signals import CHANNEL
from worker.jobs.states import State


@pytest.fixture
def cancelling(pool: Pool, redis: ArqRedis) -> Cancelling:
    return Cancelling(pool, redis)


async def begun(scene: Scene, kind: str, **fields: Any) -> UUID:
    """A job whose handler runs."""
    job_id = await scene.rung(kind, **fields)
    await scene.begun(job_id)
    return job_id


async def test_a_running_jobs_handler_is_cancelled_by_message(
    scene: Scene, cancelling: Cancelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "POLL_SECONDS", 60.0)
    async with steered(scene.pool, scene.redis) as one, steered(scene.pool, scene.redis) as two:
        await until(lambda: listening(scene, 2))
        job_id = await begun(scene, "wait")
        assert await cancelling.cancel(job_id, "enough") is State.RUNNING
        await eventually(lambda: scene.count_noted("ended") == 1)
        job = await scene.becomes(job_id, "cancelled")
        assert (job["error"], job["attempt"], job["failures"]) == ("enough", 1, 0)
        assert await scene.history(job_id) == [(1, "cancelled", "Cancelled")]
        await until(lambda: scene.forgot(job_id))
        assert one.running + two.running == 0


async def test_a_message_that_gets_lost_costs_less_than_a_second(
    scene: Scene, cancelling: Cancelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        """Tell nobody."""

    monkeypatch.setattr(service, "signal", lost)
    async with steered(scene.pool, scene.redis):
        job_id = await begun(scene, "wait")
        await cancelling.cancel(job_id)
        asked = time.monotonic()
        await scene.becomes(job_id, "cancelled")
        assert time.monotonic() - asked < control.POLL_SECONDS + 1.0


async def test_the_event_is_published(scene: Scene, cancelling: Cancelling) -> None:
    project = uuid4()
    async with scene.redis.pubsub() as heard:
        await heard.subscribe(channel(project))
        async with steered(scene.pool, scene.redis):
            job_id = await begun(scene, "wait", project_id=project)
            await cancelling.cancel(job_id, "enough")
            await scene.becomes(job_id, "cancelled")
        await heard.get_message(timeout=1)
        message = await heard.get_message(timeout=1)
    assert message is not None
    assert b'"job_cancelled"' in message["data"]
    [event] = await scene.pool.fetch("SELECT * FROM events")
    assert event["payload"] == {"jobId": str(job_id), "reason": "enough"}
    assert event["published_at"] is not None


@pytest.mark.parametrize("kind", ["excuse", "fail_late"])
async def test_what_a_handler_says_about_it_changes_nothing(
    scene: Scene, cancelling: Cancelling, kind: str
) -> None:
    async with steered(scene.pool, scene.redis):
        job_id = await begun(scene, kind)
        await cancelling.cancel(job_id, "enough")
        job = await scene.becomes(job_id, "cancelled")
        assert job["error"] == "enough"


async def test_a_handler_that_completes_at_that_moment_has_completed(
    scene: Scene, cancelling: Cancelling
) -> None:
    async with steered(scene.pool, scene.redis):
        job_id = await begun(scene, "yield_anyway")
        await cancelling.cancel(job_id)
        await scene.becomes(job_id, "completed")


async def test_a_handler_that_swallows_it_is_named_and_keeps_only_its_slot(
    scene: Scene, cancelling: Cancelling, log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_worker, "CANCEL_GRACE_SECONDS", 0.05)
    async with steered(scene.pool, scene.redis) as engine:
        worker = engine.workers["work"]
        job_id = await begun(scene, "deaf")
        await cancelling.cancel(job_id, "enough")
        job = await scene.becomes(job_id, "cancelled")
        assert job["error"] == "enough"
        assert job_id not in worker.held
        assert worker._free == worker.max_jobs - 1
        others = [await begun(scene, "deaf") for _ in range(worker.max_jobs - 1)]
        scene.open_gate()
        for other in others:
            await scene.becomes(other, "completed")
        await eventually(lambda: worker._free == worker.max_jobs)
        assert (await scene.job(job_id))["state"] == "cancelled"
    [line] = [e for e in log.entries if e["event"] == "job.ignored_cancellation"]
    assert (line["job_id"], line["kind"], line["log_level"]) == (str(job_id), "deaf", "error")
    assert "job.refused" in [e["event"] for e in log.entries], "its late answer"


async def test_a_stopping_worker_does_not_give_a_job_back_that_is_to_be_cancelled(
    scene: Scene, cancelling: Cancelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_worker.QueueWorker, "cancel", lambda *_: None)
    async with steered(scene.pool, scene.redis) as engine:
        job_id = await begun(scene, "wait")
        await cancelling.cancel(job_id, "enough")
        await engine.stop(0.0)
    job = await scene.job(job_id)
    assert (job["state"], job["error"]) == ("cancelled", "enough")
    assert await scene.history(job_id) == [(1, "released", "Released")]
    assert await scene.forgot(job_id)


async def test_only_the_attempt_that_was_meant_is_cancelled(
    scene: Scene, cancelling: Cancelling
) -> None:
    async with steered(scene.pool, scene.redis) as engine:
        job_id = await begun(scene, "wait")
        await scene.pool.execute("UPDATE jobs SET attempt = 2 WHERE id = $1", job_id)
        await cancelling.cancel(job_id)
        await engine._control.look()
        assert engine.workers["work"].held[job_id].interruption.reason is None
        await scene.pool.execute("UPDATE jobs SET attempt = 1 WHERE id = $1", job_id)
        await scene.becomes(job_id, "cancelled")


async def test_a_cancel_before_the_handler_begins_cancels_it_too(
    scene: Scene, cancelling: Cancelling
) -> None:
    """The start is on its way: the lease is there, and the attempt is not."""
    async with steered(scene.pool, scene.redis) as engine:
        job_id = await scene.add("wait")
        async with scene.pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE projects")
            await scene.ring(job_id)
            await eventually(lambda: job_id in engine.workers["work"].held)
            held = engine.workers["work"].held[job_id]
            engine.workers["work"].cancel(ToCancel("work", job_id, 1, "enough"))
        await eventually(lambda: job_id not in engine.workers["work"].held)
        assert (await scene.job(job_id))["state"] == "cancelled"
        assert str(held.interruption.reason) == "enough"


async def test_strange_messages_are_overheard(scene: Scene, cancelling: Cancelling) -> None:
    async with steered(scene.pool, scene.redis) as engine:
        await until(lambda: listening(scene, 1))
        for text in (b"cancel", b"cancel \xff", b"cancel not-an-id", b"", b"\xff\xfe"):
            await scene.redis.publish(CHANNEL, text)
        job_id = await begun(scene, "wait")
        await scene.redis.publish(CHANNEL, f"cancel {job_id}")
        await engine._control.look()
        assert engine.workers["work"].held[job_id].interruption.reason is None, "nobody asked"
        await cancelling.cancel(job_id)
        await scene.becomes(job_id, "cancelled")
        assert engine.dead_loops() == []


async def listening(scene: Scene, count: int) -> bool:
    """Whether so many processes have subscribed."""
    [(_, subscribers)] = await scene.redis.pubsub_numsub(CHANNEL)
    return bool(subscribers >= count)
