"""Queues that are paused, resumed and resized while workers run."""

import time
from uuid import UUID

import pytest
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.chaos.processes import until
from tests.engine.scene import Scene
from tests.engine.steered import QUEUES, steered
from tests.engine.test_cancelling import begun, listening
from tests.support import eventually
from worker.database.pool import Pool, connect_pool
from worker.engine import control
from worker.engine.claims import Limits
from worker.engine.engine import Engine
from worker.jobs import queue_controls as service
from worker.jobs.cancelling import Cancelling
from worker.jobs.queue_controls import QueueControls
from worker.jobs.queues import Rate
from worker.jobs.ring import Bell, Ring


@pytest.fixture
def controls(pool: Pool, redis: ArqRedis) -> QueueControls:
    return QueueControls(pool, redis, QUEUES)


def is_paused(engine: Engine) -> bool:
    current = engine.workers["work"]._control
    return current is not None and current.paused


async def test_a_paused_queue_starts_nothing_and_goes_on_with_what_runs(
    scene: Scene, controls: QueueControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "POLL_SECONDS", 60.0)
    async with steered(scene.pool, scene.redis) as one, steered(scene.pool, scene.redis) as two:
        await until(lambda: listening(scene, 2))
        running = await begun(scene, "deaf")
        await controls.pause("work")
        await eventually(lambda: is_paused(one) and is_paused(two))
        waiting = await scene.rung("report", {"calls": 0})
        scene.open_gate()
        await scene.becomes(running, "completed")
        await one._control.look()
        assert (await scene.job(waiting))["state"] == "queued"
        assert await scene.owner(waiting) is None
        await controls.resume("work")
        await scene.becomes(waiting, "completed")


async def test_a_pause_survives_a_restart_and_a_flush(
    scene: Scene, controls: QueueControls
) -> None:
    await controls.pause("work")
    async with steered(scene.pool, scene.redis) as engine:
        await scene.redis.flushdb()
        job_id = await scene.rung("report", {"calls": 0})
        await engine._control.look()
        assert is_paused(engine)
        assert (await scene.job(job_id))["state"] == "queued"
    async with steered(scene.pool, scene.redis) as engine:
        assert is_paused(engine)
        await controls.resume("work")
        await scene.becomes(job_id, "completed")


async def test_a_message_that_gets_lost_costs_less_than_a_second(
    scene: Scene, controls: QueueControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        """Tell nobody."""

    monkeypatch.setattr(service, "signal", lost)
    async with steered(scene.pool, scene.redis) as engine:
        changed = time.monotonic()
        await controls.pause("work")
        await eventually(lambda: is_paused(engine))
        assert time.monotonic() - changed < control.POLL_SECONDS + 1.0


async def test_a_worker_that_cannot_read_the_record_claims_nothing(
    scene: Scene, database_url: str, log: LogCapture
) -> None:
    job_id = await scene.rung("report", {"calls": 0})
    away = await connect_pool(database_url, size=2)
    away.terminate()
    async with steered(away, scene.redis) as engine:
        for _ in range(3):
            await engine._control.look()
        worker = engine.workers["work"]
        assert worker._free > 0
        assert not worker._may_claim
        assert await scene.owner(job_id) is None
    assert [e["event"] for e in log.entries].count("control.not_read") == 1


async def test_a_smaller_queue_runs_fewer_and_a_larger_one_more(
    scene: Scene, controls: QueueControls
) -> None:
    async with steered(scene.pool, scene.redis) as engine:
        held = engine.workers["work"].held
        await controls.resize("work", concurrency=2)
        await engine._control.look()
        jobs = [await scene.rung("wait") for _ in range(7)]
        await eventually(lambda: len(held) == 2)
        await controls.resize("work", concurrency=5)
        await eventually(lambda: scene.count_noted("begun") == 5)
        await controls.resize("work", concurrency=3)
        await engine._control.look()
        running = [*held]
        for job_id in running[:2]:
            await cancel_one(scene, job_id)
        await eventually(lambda: scene.count_noted("ended") == 2)
        await eventually(lambda: len(held) <= 3)
        await engine._control.look()
        assert set(held) == set(running[2:]), "as many as may run: nothing new"
        await cancel_one(scene, running[2])
        await eventually(lambda: len(set(held) - set(running)) == 1)
        await controls.resize("work", concurrency=None)
        await eventually(lambda: engine.workers["work"].max_jobs == QUEUES["work"].concurrency)
        await Cancelling(scene.pool, scene.redis).request(jobs)


async def cancel_one(scene: Scene, job_id: UUID) -> None:
    await Cancelling(scene.pool, scene.redis).cancel(job_id)


async def test_limits_reach_the_claim(scene: Scene, controls: QueueControls) -> None:
    async with steered(scene.pool, scene.redis) as engine:
        await controls.resize("work", per_key=1, per_organisation=2, rate=Rate(3, 4.0))
        await eventually(lambda: engine._claims["work"].limits == Limits(Rate(3, 4.0), 1, 2))
        jobs = [await scene.add("wait", concurrency_key="k") for _ in range(2)]
        await Bell(scene.redis).ring(Ring(j, "work", key="k") for j in jobs)
        await eventually(lambda: scene.count_noted("begun") == 1)
        await engine._control.look()
        assert {(await scene.job(j))["state"] for j in jobs} == {"running", "queued"}
        await Cancelling(scene.pool, scene.redis).request(jobs)


async def test_without_redis_orders_are_still_read(
    scene: Scene, nowhere: ArqRedis, controls: QueueControls, log: LogCapture
) -> None:
    async with steered(scene.pool, nowhere) as engine:
        await controls.pause("work")
        await eventually(lambda: is_paused(engine))
        await controls.resume("work")
        await eventually(lambda: not is_paused(engine))
    assert [e["event"] for e in log.entries].count("control.not_heard") == 1


async def test_a_subscription_that_was_cut_is_made_again(
    scene: Scene, controls: QueueControls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "POLL_SECONDS", 60.0)
    async with steered(scene.pool, scene.redis) as engine:
        await until(lambda: listening(scene, 1))
        await scene.redis.client_kill_filter(_type="pubsub")
        await until(lambda: listening(scene, 1))
        await controls.pause("work")
        await eventually(lambda: is_paused(engine))


async def test_a_silent_subscription_is_asked_whether_it_is_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, log: LogCapture
) -> None:
    monkeypatch.setattr(control, "SILENCE_SECONDS", 0.02)
    async with steered(scene.pool, scene.redis):
        await until(lambda: listening(scene, 1))
        pings = await calls(scene, "ping")
        await until(lambda: more_calls(scene, "ping", pings + 3))
    assert "control.not_heard" not in [e["event"] for e in log.entries]


async def calls(scene: Scene, command: str) -> int:
    """How often Redis was sent that command."""
    stats = await scene.redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def more_calls(scene: Scene, command: str, count: int) -> bool:
    return await calls(scene, command) >= count
