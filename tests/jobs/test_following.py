"""Jobs that follow from a job: recorded once, in its trace and delivery, run even if not rung."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.jobs.records import handle, new_job
from worker.database.pool import Pool
from worker.jobs.following import Following, FollowUps
from worker.jobs.model import StartedJob
from worker.jobs.payloads import ConflictDetection, MissedDeliveries
from worker.jobs.projects import Projects
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys

TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


@pytest.fixture
async def parent(pool: Pool) -> StartedJob:
    project = await Projects(pool).enrol("P", "https://x/y.git", "a/b", "pro", "org-1")
    job = handle(new_job(project_id=project.id, delivery_id="d-1"), attempt=1)
    return replace(job, project=project, correlation_id="c-1", traceparent=TRACE)


async def row(pool: Pool, job_id: UUID | None) -> dict[str, Any]:
    return dict(await pool.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id) or {})


async def test_it_belongs_to_what_it_follows_from(
    pool: Pool, redis: Redis, parent: StartedJob
) -> None:
    assert parent.project_id
    payload = ConflictDetection(project_id=parent.project_id, branch="main")
    job_id = await Following(parent, FollowUps(pool, redis, QUEUES)).add(payload, "key")
    job = await row(pool, job_id)
    assert job["payload"] == payload.wire()
    expected = {
        "queue": "conflict-detection", "kind": "conflict_detection", "state": "queued",
        "project_id": parent.project_id, "org_id": "org-1", "priority": 10, "max_attempts": 3,
        "delivery_id": "d-1", "correlation_id": "c-1", "dedupe_key": "key",
        "concurrency_key": f"project:{parent.project_id}",
    }  # fmt: skip
    assert {name: job[name] for name in expected} == expected
    assert job["traceparent"][3:35] == TRACE[3:35]
    assert job["traceparent"] != TRACE
    assert str(job_id).encode() in await redis.hkeys(queue_keys("conflict-detection").jobs)  # type: ignore[misc]


async def test_the_same_key_makes_one(pool: Pool, redis: Redis, parent: StartedJob) -> None:
    following = Following(parent, FollowUps(pool, redis, QUEUES))
    assert await following.add(MissedDeliveries(), "key") is not None
    assert await following.add(MissedDeliveries(), "key") is None
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 1


async def test_redis_away_leaves_it_to_the_reconciler(pool: Pool, parent: StartedJob) -> None:
    nowhere = Redis(host="127.0.0.1", port=1, retry=None)
    with capture_logs() as logs:
        job_id = await FollowUps(pool, nowhere, QUEUES).add(parent, MissedDeliveries(), "key")
    await nowhere.aclose()
    assert (await row(pool, job_id))["state"] == "queued"
    assert [(line["event"], line["jobs"]) for line in logs] == [("ring.failed", 1)]
