"""Webhooks through the handler and the engine: sent again as promised, and nobody held up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from arq.connections import ArqRedis
from standardwebhooks.webhooks import Webhook

from tests.handlers.scanning import opened
from tests.outgoing.parcels import Post
from tests.outgoing.receivers import answer, receiving
from tests.support import eventually
from worker.database.pool import Pool
from worker.engine.engine import Engine
from worker.git import Mirrors
from worker.handlers import REGISTRY
from worker.handlers.context import Resources
from worker.handlers.webhook_delivery import webhook_delivery
from worker.jobs.model import Cancel, Completed, Failed, Outcome, Snooze, StartedJob
from worker.jobs.queues import QUEUES, Queue
from worker.jobs.ring import Bell, Ring
from worker.jobs.tenant_payloads import WebhookDelivery
from worker.outgoing.delivering import Attempt
from worker.outgoing.pacing import Pace
from worker.outgoing.sending import Sender
from worker.outgoing.signing import new_secret


@dataclass
class Desk:
    """What the handler needs, and a way to run it once, or an engine that runs it."""

    post: Post
    resources: Resources
    redis: ArqRedis

    async def run(self, attempt: Attempt, **job: Any) -> Outcome:
        """One attempt of the attempt's job."""
        payload = WebhookDelivery(
            org_id="acme", endpoint_id=attempt.endpoint_id, message_id=attempt.message_id
        )
        started = StartedJob(
            id=attempt.job_id, queue="webhooks", kind="webhook_delivery", payload=payload.wire(),
            attempt=attempt.number, failures=attempt.failures, max_attempts=attempt.most,
            project_id=None, delivery_id=None, correlation_id=None, waited=0.0, token="t",
            worker="w", project=None,
        )  # fmt: skip
        context = self.resources.context(replace(started, **job), lambda *_: None)
        return await webhook_delivery(payload, context)

    @asynccontextmanager
    async def engine(self, queue: Queue = QUEUES["webhooks"]) -> AsyncIterator[Engine]:
        """A worker of the queue."""
        engine = Engine(
            pool=self.post.pool, redis=self.redis, queues={queue.name: queue}, registry=REGISTRY,
            make_context=self.resources.context,
        )  # fmt: skip
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop(0.0)

    async def ring(self, rings: Sequence[Ring]) -> None:
        """Have them run."""
        await Bell(self.redis).ring(rings)

    async def becomes(self, job_id: UUID, state: str) -> dict[str, Any]:
        """The row of a job, once it is in that state."""

        async def there() -> dict[str, Any]:
            row = await self.post.pool.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)
            assert row
            assert row["state"] == state, dict(row)
            return dict(row)

        return await eventually(there, timeout=15)


@pytest.fixture
async def desk(pool: Pool, redis: ArqRedis, tmp_path: Path) -> AsyncIterator[Desk]:
    post = await Post.opened(pool)
    resources = replace(
        opened(pool, redis, Mirrors(tmp_path / "mirrors")),
        sender=Sender([ip_network("127.0.0.0/8")]), deliveries=post.deliveries,
    )  # fmt: skip
    yield Desk(post, resources, redis)
    await resources.close()


async def test_a_delivery_arrives_signed(desk: Desk) -> None:
    secret = new_secret()
    async with receiving() as receiver:
        attempt = await desk.post.attempt(await desk.post.endpoint(receiver.url, secret))
        outcome = await desk.run(attempt)
    assert isinstance(outcome, Completed)
    assert outcome.data == {"status": 200}
    [received] = receiver.received
    assert received.headers["webhook-id"] == str(attempt.message_id)
    Webhook(secret).verify(received.body, received.headers)
    assert received.body == await desk.post.pool.fetchval("SELECT body FROM outgoing_messages")


async def test_run_twice_it_is_sent_once(desk: Desk) -> None:
    async with receiving() as receiver:
        attempt = await desk.post.attempt(await desk.post.endpoint(receiver.url))
        await desk.run(attempt)
        again = await desk.run(replace(attempt, number=2))
    assert isinstance(again, Completed)
    assert receiver.accepted == 1


@pytest.mark.parametrize(
    ("schedule", "delays"), [("short", [1, 2, 4, 8, 16]), ("long", [5, 300, 1800, 7200, 18_000])]
)
async def test_five_retries_come_as_promised_and_with_the_same_id(
    desk: Desk, schedule: str, delays: list[float]
) -> None:
    async with receiving(answer(500, b"broken")) as receiver:
        endpoint = await desk.post.endpoint(receiver.url, schedule=schedule)
        first = await desk.post.attempt(endpoint)
        attempts = [replace(first, number=n + 1, failures=n) for n in range(6)]
        found = [await desk.run(attempt) for attempt in attempts]
    assert all(isinstance(outcome, Failed) for outcome in found)
    assert [o.retry_in for o in found if isinstance(o, Failed)][:5] == delays
    assert len({r.headers["webhook-id"] for r in receiver.received}) == 1
    assert len(receiver.received) == 6
    assert (await desk.post.delivery(first))["state"] == "failed"
    rows = await desk.post.attempts()
    assert [row["answer"] for row in rows] == [b"broken"] * 6


async def test_a_retry_after_is_respected(desk: Desk) -> None:
    async with receiving(answer(429, Retry_After="90")) as receiver:
        endpoint = await desk.post.endpoint(receiver.url)
        outcome = await desk.run(await desk.post.attempt(endpoint))
        assert isinstance(outcome, Failed)
        assert outcome.retry_in == 90
        other = await desk.run(await desk.post.attempt(endpoint))
    assert isinstance(other, Snooze)
    assert other.seconds > 89
    assert receiver.accepted == 1


async def test_410_disables_the_endpoint_and_cancels(desk: Desk) -> None:
    async with receiving(answer(410)) as receiver:
        endpoint = await desk.post.endpoint(receiver.url)
        outcome = await desk.run(await desk.post.attempt(endpoint))
        assert isinstance(outcome, Cancel)
        assert "410" in outcome.reason
        later = await desk.run(await desk.post.attempt(endpoint))
    assert isinstance(later, Cancel)
    assert receiver.accepted == 1
    assert await desk.redis.keys("arq:queue:flagship:audit*")


async def test_an_inner_address_is_never_dialled_by_a_worker(desk: Desk) -> None:
    resources = replace(desk.resources, sender=Sender())
    async with receiving() as receiver:
        attempt = await desk.post.attempt(await desk.post.endpoint(receiver.url))
        outcome = await replace(desk, resources=resources).run(attempt)
        await resources.sender.close()
    assert isinstance(outcome, Failed)
    assert receiver.accepted == 0
    [row] = await desk.post.attempts()
    assert row["error_class"] == "refused_address"
    assert "127" not in row["error"]


async def test_retries_beyond_their_half_wait_and_first_attempts_go(desk: Desk) -> None:
    crowded = replace(desk, resources=replace(desk.resources, pace=Pace(2)))
    async with receiving(None) as hanging, receiving() as well:
        stuck = await desk.post.attempt(await desk.post.endpoint(hanging.url), failures=1)
        first = asyncio.create_task(crowded.run(stuck))
        await eventually(lambda: hanging.hanging == 1)
        endpoint = await desk.post.endpoint(well.url)
        retry = await crowded.run(await desk.post.attempt(endpoint, failures=1))
        assert isinstance(retry, Snooze)
        assert isinstance(await crowded.run(await desk.post.attempt(endpoint)), Completed)
        hanging.answers = [answer()]
        hanging.released.set()
        await first
        again = await crowded.run(await desk.post.attempt(endpoint, failures=1))
        assert isinstance(again, Completed)


async def test_the_engine_delivers_and_buries_what_never_arrives(desk: Desk) -> None:
    async with receiving() as well, receiving(answer(404)) as wrong, desk.engine():
        for receiver in (well, wrong):
            await desk.post.endpoint(receiver.url)
        rings = await desk.post.message()
        await desk.post.pool.execute("UPDATE jobs SET failures = 5, attempt = 5")
        await desk.ring(rings)
        jobs = {
            row["url"]: row["job_id"]
            for row in await desk.post.pool.fetch(
                "SELECT url, job_id FROM outgoing_deliveries d "
                "JOIN outgoing_endpoints e ON e.id = d.endpoint_id"
            )
        }
        await desk.becomes(jobs[well.url], "completed")
        dead = await desk.becomes(jobs[wrong.url], "dead")
    assert dead["error"] == "the endpoint answered 404"
    states = await desk.post.pool.fetch("SELECT state FROM outgoing_deliveries ORDER BY state")
    assert [s["state"] for s in states] == ["delivered", "failed"]


async def test_a_failed_attempt_waits_for_as_long_as_its_own_schedule_says(desk: Desk) -> None:
    async with receiving(answer(500)) as receiver, desk.engine():
        await desk.post.endpoint(receiver.url, schedule="long")
        [ring] = await desk.post.message()
        await desk.post.pool.execute("UPDATE jobs SET failures = 1, attempt = 1")
        await desk.ring([ring])
        job = await desk.becomes(ring.id, "retrying")
        now = await desk.post.pool.fetchval("SELECT now()")
    assert 290 < (job["run_at"] - now).total_seconds() <= 300


async def test_what_a_stopped_worker_was_sending_is_sent_again(desk: Desk) -> None:
    async with receiving(None, answer()) as receiver:
        await desk.post.endpoint(receiver.url)
        [ring] = await desk.post.message()
        async with desk.engine():
            await desk.ring([ring])
            await eventually(lambda: receiver.hanging == 1)
        async with desk.engine():
            await desk.becomes(ring.id, "completed")
    one, other = receiver.received
    assert one.headers["webhook-id"] == other.headers["webhook-id"]
    assert one.body == other.body
    [row] = await desk.post.attempts()
    assert row["attempt"] == 2


async def test_one_that_hangs_holds_up_nobody_else(desk: Desk) -> None:
    slots = replace(QUEUES["webhooks"], concurrency=8)
    async with receiving(None) as hanging, receiving() as well, desk.engine(slots) as engine:
        await desk.post.endpoint(hanging.url)
        await desk.post.endpoint(well.url)
        for number in range(30):
            await desk.ring(await desk.post.message(number))
        await eventually(lambda: len(well.received) == 30, timeout=15)
        await eventually(lambda: engine.running == hanging.hanging == 1)
