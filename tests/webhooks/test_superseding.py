"""Pushes to one branch over HTTP: the newest stands for those that wait, and each has its trace."""

import json
from typing import Any

from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.deliveries import Recorded, load
from tests.support import eventually
from tests.webhooks.service import Answer, Service, fresh, guid_of, serving
from webhooks.superseder import Superseder
from worker.database.pool import connect_pool
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import Publisher, stream
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Bell
from worker.jobs.superseding import Superseding

REPOSITORY = json.loads(load("push_branch").body)["repository"]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def pushed(at: int, commit: int = 1) -> Recorded:
    """A push to main at that time."""
    return fresh(repository=REPOSITORY | {"pushed_at": at}, after=f"{commit:040x}")


def job_of(answer: Answer) -> str:
    return str(answer.body["jobs"][0]["id"])


async def job(service: Service, job_id: str) -> dict[str, Any]:
    [row] = await service.rows("SELECT * FROM jobs WHERE id = $1::text::uuid", job_id)
    return row


async def test_a_newer_push_supersedes_what_waits(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own, Redis.from_url(redis_url) as redis:
        project = await own.enrol()
        older = pushed(1000)
        with capture_logs() as logs:
            first = await own.deliver(older)
            second = await own.deliver(pushed(1001, commit=2))
            await eventually(lambda: "job.superseded" in [line["event"] for line in logs])
        kept = await job(own, job_of(first))
        assert (kept["state"], str(kept["superseded_by"])) == ("superseded", job_of(second))
        assert (await job(own, job_of(second)))["state"] == "queued"
        [row] = await own.rows(
            "SELECT processed FROM webhook_events WHERE delivery_id = $1", guid_of(older)
        )
        assert row["processed"]
        sent = await eventually(lambda: redis.xrange(stream(project["id"])))
        told = json.loads(sent[0][1][b"event"])
        assert (told["event"], told["payload"]["supersededBy"]) == (
            "job_superseded",
            job_of(second),
        )
        again = await own.deliver(older)
        assert (job_of(again), again.body["duplicate"]) == (job_of(first), True)
        assert (await job(own, job_of(first)))["state"] == "superseded"


async def test_a_push_that_arrives_late_gives_way(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        await own.enrol()
        newer = await own.deliver(pushed(1001, commit=2))
        late = await own.deliver(pushed(1000))
        await own.resources.intake.drain()
        assert (await job(own, job_of(late)))["state"] == "superseded"
        assert (await job(own, job_of(newer)))["state"] == "queued"


async def test_a_push_right_after_a_finished_run_runs(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        await own.enrol()
        first = await own.deliver(pushed(1000))
        await own.rows("UPDATE jobs SET state = 'completed', finished_at = now() RETURNING id")
        second = await own.deliver(pushed(1001, commit=2))
        await own.resources.intake.drain()
        assert (await job(own, job_of(first)))["state"] == "completed"
        assert (await job(own, job_of(second)))["state"] == "queued"


async def test_what_died_and_is_sent_again_gives_way_too(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        await own.enrol()
        older = pushed(1000)
        first = await own.deliver(older)
        await own.rows("UPDATE jobs SET state = 'dead', finished_at = now() RETURNING id")
        second = await own.deliver(pushed(1001, commit=2))
        await own.deliver(older)
        await own.resources.intake.drain()
        kept = await job(own, job_of(first))
        assert (kept["state"], str(kept["superseded_by"])) == ("superseded", job_of(second))


async def test_without_postgres_it_is_left_undone_and_said(
    database_url: str, redis_url: str
) -> None:
    pool = await connect_pool(database_url, size=1)
    await pool.close()
    async with Redis.from_url(redis_url) as redis:
        superseding = Superseding(pool, QUEUES, Cancelling(pool, redis))
        superseder = Superseder(superseding, Bell(redis), Publisher(pool, redis))
        with capture_logs() as logs:
            superseder.add(["one", "two"])
            await superseder.drain()
    [line] = logs
    assert (line["event"], line["lanes"], line["log_level"]) == (
        "superseding.failed", 2, "warning",
    )  # fmt: skip


async def test_the_senders_trace_is_kept_with_the_delivery_and_its_job(service: Service) -> None:
    recorded = fresh().with_headers(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    with capture_logs() as logs:
        answer = await service.deliver(recorded)
    [row] = await service.rows(
        "SELECT traceparent FROM webhook_events WHERE delivery_id = $1", guid_of(recorded)
    )
    kept = (await job(service, job_of(answer)))["traceparent"]
    assert kept == row["traceparent"]
    assert kept.startswith(f"00-{TRACE}-")
    assert "00f067aa0ba902b7" not in kept
    assert [line["trace_id"] for line in logs if line["event"] == "webhook.accepted"] == [TRACE]
