"""Workers killed between the sending of emails and the record of it."""

import pytest

from tests.chaos.harness import Stack
from tests.chaos.processes import Process, until
from tests.tenants.notifications.fake_resend import KEY, FakeResend
from tests.tenants.notifications.records import organisation, warning
from worker.jobs.planning import Planner, record
from worker.jobs.queues import QUEUES
from worker.jobs.tenant_payloads import Notification

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

COUNT = 8


async def test_emails_of_a_killed_worker_are_sent_once(stack: Stack) -> None:
    """Whatever it had sent is asked for again under the same key, and so not sent again."""
    await organisation(stack.pool)
    async with FakeResend().serving() as fake:
        first = await product_worker(stack, fake)
        fake.held.clear()
        await add(stack, [warning(key=f"k-{n}") for n in range(COUNT)])
        await until(lambda: len(fake.sent) == COUNT, 20.0)
        await first.kill()
        fake.held.set()
        assert await states(stack) == ["pending"] * COUNT
        second = await product_worker(stack, fake)
        await stack.settled()
        await second.stop()
        rows = await stack.pool.fetch("SELECT id::text, state, email_id FROM notifications")
        assert {r["id"]: r["email_id"] for r in rows} == {k: v[0] for k, v in fake.sent.items()}
        assert {r["state"] for r in rows} == {"sent"}
        assert len(fake.sent) == COUNT
        assert len(fake.requests) == 2 * COUNT


async def product_worker(stack: Stack, fake: FakeResend) -> Process:
    """A worker of the product that sends through the fake."""
    worker = stack.spawn(
        "arq", "worker.WorkerSettings", WORKER_QUEUES="flagship:notifications",
        RESEND_API_KEY=KEY, RESEND_API_URL=fake.url, RESEND_RATE_PER_SECOND="1000",
        EMAIL_FROM="Switchyard <noreply@mail.example>",
    )  # fmt: skip
    await worker.logged("worker.started")
    return worker


async def add(stack: Stack, payloads: list[Notification]) -> None:
    """Record jobs, and ring them."""
    jobs = [Planner(QUEUES).job(payload) for payload in payloads]
    async with stack.pool.acquire() as connection, connection.transaction():
        rings = await record(connection, jobs)
    await stack.bell.ring(rings)


async def states(stack: Stack) -> list[str]:
    """How the notifications stand."""
    rows = await stack.pool.fetch("SELECT state FROM notifications")
    return [row["state"] for row in rows]
