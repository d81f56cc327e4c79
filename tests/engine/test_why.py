"""Why a job waits, told of jobs that a real engine runs, sets aside and leaves alone."""

import pytest
from arq.connections import ArqRedis

from tests.chaos.app import QUEUES
from tests.chaos.processes import until
from tests.engine.conftest import OpenEngine
from tests.engine.scene import Scene
from worker.database.pool import Pool
from worker.jobs.queue_controls import QueueControls
from worker.jobs.reasons import Reason
from worker.jobs.waiting import Waiting


@pytest.fixture
def controls(pool: Pool, redis: ArqRedis) -> QueueControls:
    return QueueControls(pool, redis, QUEUES)


@pytest.fixture
def waiting(pool: Pool, redis: ArqRedis, controls: QueueControls) -> Waiting:
    return Waiting(pool, redis, controls)


async def test_a_kind_that_no_engine_knows_is_told_with_its_next_try(
    running: OpenEngine, scene: Scene, waiting: Waiting
) -> None:
    job_id, reasons = await scene.rung("novel"), list[Reason]()
    async with running():

        async def given_back() -> bool:
            reasons[:] = (await waiting.why(job_id)).reasons
            return [r.code for r in reasons] == ["no_worker", "given_back"]

        await until(given_back)
        assert "none knows the kind novel" in reasons[0].message
        assert reasons[1].seconds is not None
        assert 0 < reasons[1].seconds <= 5


async def test_full_slots_are_told_and_then_the_job_runs(
    running: OpenEngine, scene: Scene, waiting: Waiting, controls: QueueControls
) -> None:
    await controls.resize("work", concurrency=1)
    async with running() as engine:
        first = await scene.rung("gated")
        await scene.begun(first)
        job_id = await scene.rung("gated")
        [reason] = (await waiting.why(job_id)).reasons
        assert (reason.code, reason.ahead, reason.free_slots) == ("behind", 0, 0)
        [held] = (await waiting.why(first)).reasons
        assert (held.code, held.worker) == ("running", engine.id)
        scene.open_gate()
        await scene.becomes(job_id, "completed")
    assert [r.code for r in (await waiting.why(job_id)).reasons] == ["ended"]
