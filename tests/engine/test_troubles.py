"""Whatever fails around a job: it is told, tried again, and loses nothing."""

from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import LogCapture

from tests.engine.conftest import OpenEngine
from tests.engine.scene import Scene
from tests.support import eventually
from worker.engine.engine import Engine
from worker.engine.queue_worker import GIVEN_BACK_MS
from worker.engine.reconciler import Reconciler
from worker.errors import RecordUnavailable
from worker.jobs.ledger import Ledger


@pytest.mark.parametrize("error", [RecordUnavailable("away"), ValueError("a defect")])
async def test_a_start_that_fails_is_tried_again(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setitem(GIVEN_BACK_MS, "error", 20)
    fail_once(monkeypatch, "start", error)
    async with running():
        job = await scene.becomes(await scene.rung("work"), "completed")
        assert (job["attempt"], job["crashes"]) == (1, 0)


async def test_a_start_that_fails_until_the_end_is_given_back(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Any:
        raise RecordUnavailable("away")

    monkeypatch.setattr(Ledger, "start", away)
    async with running() as engine:
        job_id = await scene.rung("work")
        await eventually(lambda: job_id in engine.workers["work"].held)
    assert await scene.owner(job_id) is None
    assert await scene.score(job_id) is not None
    assert (await scene.job(job_id))["state"] == "queued"


async def test_a_finish_that_fails_is_tried_again(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, "complete", RecordUnavailable("away"))
    async with running():
        job = await scene.becomes(await scene.rung("work"), "completed")
        assert job["attempt"] == 1
    assert scene.count_noted("done") == 1


async def test_a_finish_that_fails_until_the_end_is_told(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch, log: LogCapture
) -> None:
    async def away(*_: Any) -> bool:
        raise RecordUnavailable("away")

    monkeypatch.setattr(Ledger, "end", away)
    async with running() as engine:
        job_id = await scene.rung("work")
        await eventually(lambda: "finish.delayed" in [e["event"] for e in log.entries])
        engine._recording_stopped.set()
        await eventually(lambda: not engine.workers["work"].held)
    assert "job.unrecorded" in [e["event"] for e in log.entries]
    assert (await scene.job(job_id))["state"] == "running"


async def test_a_defect_in_recording_is_told(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch, log: LogCapture
) -> None:
    fail_once(monkeypatch, "end", KeyError("a defect"))
    async with running() as engine:
        await scene.rung("work")
        await eventually(lambda: "job.crashed" in [e["event"] for e in log.entries])
        await eventually(lambda: not engine.workers["work"].held)


async def test_a_loop_that_crashes_is_told_and_goes_on(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch, log: LogCapture
) -> None:
    fail_once(monkeypatch, "tick", ValueError("a defect"), of=Reconciler)
    async with running() as engine:
        await eventually(lambda: "loop.crashed" in [e["event"] for e in log.entries])
        assert engine.dead_loops() == []
        await eventually(lambda: engine._reconciler._ticks > 0)


async def test_a_loop_that_ended_by_itself_is_named(running: OpenEngine, scene: Scene) -> None:
    async with running() as engine:
        engine._reconciler.stopping.set()
        await eventually(lambda: engine.dead_loops() == ["reconciler"])


async def test_a_claim_without_redis_is_told_and_repeated(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch, log: LogCapture
) -> None:
    async with running() as engine:
        claims = engine._claims["work"]
        fail_once(monkeypatch, "claim", ConnectionError("away"), of=type(claims))
        await scene.becomes(await scene.rung("work"), "completed")
    assert "claim.failed" in [e["event"] for e in log.entries]


async def test_an_event_that_cannot_be_published_waits(
    running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch, log: LogCapture
) -> None:
    project = uuid4()
    async with running() as engine:
        fail_once(monkeypatch, "publish", ConnectionError("away"), of=type(engine._publisher))
        await scene.rung("work", {"seconds": "?"}, project_id=project)
        await eventually(lambda: "event.delayed" in [e["event"] for e in log.entries])


async def test_the_heartbeat_is_stamped(running: OpenEngine, scene: Scene) -> None:
    async with running() as engine:
        await engine.stamp_heartbeat()
        stamp = await scene.pool.fetchval("SELECT last_heartbeat FROM workers")
        assert stamp is not None


def test_an_engine_serves_only_queues_with_a_handler(engine: Engine) -> None:
    assert set(engine.workers) == {"noop", "work", "keyed", "ends", "promised", "artifact-scan"}


def fail_once(
    monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, of: type = Ledger
) -> None:
    """Let the next call of that method fail."""
    original = getattr(of, method)
    errors = [error]

    async def failing(*arguments: Any, **named: Any) -> Any:
        if errors:
            raise errors.pop()
        return await original(*arguments, **named)

    monkeypatch.setattr(of, method, failing)
