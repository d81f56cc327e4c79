"""Every way in which an attempt can end."""

import time
from typing import Any
from uuid import uuid4

from tests.chaos.processes import until
from tests.engine.conftest import OpenEngine
from tests.engine.scene import Scene
from tests.support import eventually
from worker.metrics import REGISTRY

RETRIED = {
    "failed": ("failed", "Failed"),
    "exception": ("failed", "ValueError"),
    "system exit": ("failed", "SystemExit"),
    "cancelled error": ("failed", "CancelledError"),
    "own timeout": ("failed", "TimeoutError"),
    "timeout": ("timeout", "TimeoutError"),
    "nul": ("failed", "Failed"),
}
BURIED = {
    "permanent": "PermanentError",
    "no decision": "PermanentError",
    "endless snooze": "OverflowError",
    "endless failure": "OverflowError",
    "bottomless data": "RecursionError",
}


async def test_every_outcome(running: OpenEngine, scene: Scene) -> None:
    ways = (*RETRIED, *BURIED, "cancel", "snooze", "failed for an hour")
    retried = metric("jobs_retried_total", queue="ends")
    async with running() as engine:
        jobs = {how: await scene.rung("end", {"how": how}, queue="ends") for how in ways}
        for how, (outcome, name) in RETRIED.items():
            job = await scene.becomes(jobs[how], "dead")
            assert (job["failures"], job["crashes"]) == (3, 0)
            assert await scene.history(jobs[how]) == [(n, outcome, name) for n in (1, 2, 3)], how
        for how, name in BURIED.items():
            await scene.becomes(jobs[how], "dead")
            assert await scene.history(jobs[how]) == [(1, "failed", name)], how
        assert (await scene.becomes(jobs["cancel"], "cancelled"))["error"] == "pointless"
        snoozed = await scene.becomes(jobs["snooze"], "retrying")
        assert (snoozed["failures"], snoozed["attempt"]) == (0, 1)
        assert await scene.history(jobs["snooze"]) == [(1, "snoozed", "Snooze")]
        assert ((await scene.score(jobs["snooze"], "ends")) or 0) / 1000 > time.time() + 3500
        later = await scene.becomes(jobs["failed for an hour"], "retrying")
        assert (later["failures"], later["attempt"]) == (1, 1)
        assert (later["run_at"] - later["started_at"]).total_seconds() >= 3600
        assert ((await scene.score(later["id"], "ends")) or 0) / 1000 > time.time() + 3500
        assert engine.failed == len(RETRIED) + len(BURIED)
        assert metric("jobs_retried_total", queue="ends") == retried + 2 * len(RETRIED) + 1
        assert engine.lag >= 0


async def test_an_outage_of_the_record_is_no_failure_of_the_job(
    running: OpenEngine, scene: Scene
) -> None:
    async with running():
        job_id = await scene.rung("end", {"how": "outage"}, queue="ends")

        async def tried_again() -> bool:
            job = await scene.job(job_id)
            assert job["attempt"] >= 2
            assert (job["failures"], job["crashes"], job["error"]) == (0, 0, None)
            return True

        await until(tried_again)
        assert (await scene.history(job_id))[0] == (1, "snoozed", "Snooze")


async def test_a_job_that_needs_a_project_has_it_or_is_buried(
    running: OpenEngine, scene: Scene
) -> None:
    project = uuid4()
    await scene.pool.execute(
        "INSERT INTO projects (id, name, repo_url, repository) VALUES ($1, 'x', 'y', 'a/b')",
        project,
    )
    async with running():
        payload = {"projectId": str(project)}
        known = await scene.rung("enrolled", payload, queue="ends", project_id=project)
        assert (await scene.becomes(known, "completed"))["progress"] == 100
        stranger = uuid4()
        unknown = await scene.rung(
            "enrolled", {"projectId": str(stranger)}, queue="ends", project_id=stranger
        )
        job = await scene.becomes(unknown, "dead")
        assert job["error"] == f"project {stranger} is not enrolled"
    told = await scene.pool.fetch("SELECT event, published_at FROM events ORDER BY created_at, id")
    assert [row["event"] for row in told] == ["enrolled_completed", "enrolled_failed", "job_dead"]
    assert all(row["published_at"] for row in told)


async def test_an_invalid_payload_names_each_field(running: OpenEngine, scene: Scene) -> None:
    async with running():
        job_id = await scene.rung("work", {"seconds": "soon", "more": 1})
        error = (await scene.becomes(job_id, "dead"))["error"]
    assert "seconds: " in error
    assert "more: " in error


async def test_no_more_run_at_once_than_the_queue_allows(running: OpenEngine, scene: Scene) -> None:
    async with running() as engine:
        jobs = [await scene.rung("gated") for _ in range(25)]
        await eventually(lambda: len(engine.workers["work"].held) == 20)
        await eventually(lambda: scene.count_noted("begun") == 20)
        assert (await scene.job(jobs[-1]))["state"] == "queued"
        scene.open_gate()
        for job_id in jobs:
            await scene.becomes(job_id, "completed")
        assert engine.completed == 25


async def test_an_unknown_kind_waits_and_an_unknown_id_is_dropped(
    running: OpenEngine, scene: Scene
) -> None:
    nobody = uuid4()
    async with running():
        job_id = await scene.rung("mystery")
        await scene.ring(nobody)
        await until(lambda: put_off(scene, job_id))
        await until(lambda: scene.forgot(nobody))
        job = await scene.job(job_id)
        assert (job["state"], job["attempt"]) == ("queued", 0)


async def test_a_handler_that_swallows_its_time_limit_still_ends(
    running: OpenEngine, scene: Scene
) -> None:
    async with running():
        job_id = await scene.rung("stubborn", queue="ends")
        job = await scene.becomes(job_id, "completed")
        assert job["attempt"] == 1


def metric(name: str, **labels: str) -> float:
    """The value of a counter."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def put_off(scene: Scene, job_id: Any) -> bool:
    """Whether the id is due again later, and nobody holds it."""
    score = await scene.score(job_id)
    return score is not None and score > time.time() * 1000 and not await scene.owner(job_id)
