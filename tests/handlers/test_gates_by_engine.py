"""Gates asked for, approved and judged, through the engine and the services that people use."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import pytest
from arq.connections import ArqRedis

from tests.handlers.running import running
from tests.handlers.scanning import Scanner
from tests.handlers.test_gate_evaluation import commit, trust
from tests.support import eventually
from webhooks.ringer import Ringer
from worker.database.pool import Pool
from worker.jobs.gate_views import Approval, GateState, GateWithLog, WantedGate
from worker.jobs.gates import Gates
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Bell


def working(pool: Pool, redis: ArqRedis, scanner: Scanner) -> AbstractAsyncContextManager[None]:
    """An engine for gates and for what follows from them."""
    names = ("gate-evaluation", "conflict-detection", "github-reports")
    return running(pool, redis, scanner.resources.context, *names)


@pytest.fixture
async def gates(pool: Pool, redis: ArqRedis, scanner: Scanner) -> AsyncIterator[Gates]:
    """The service, while an engine works."""
    ringer = Ringer(Bell(redis))
    async with working(pool, redis, scanner):
        yield Gates(pool, ringer, QUEUES)
        await ringer.drain()


async def reached(gates: Gates, scanner: Scanner, job_id: UUID, state: GateState) -> GateWithLog:
    """The evaluation, once it is in that state."""

    async def there() -> GateWithLog:
        gate = await gates.get(scanner.project_id, job_id)
        assert gate.state == state
        return gate

    return await eventually(there, timeout=30)


async def told(pool: Pool, job_id: UUID) -> list[str]:
    """The events of a job, once it has completed."""

    async def completed() -> bool:
        return bool(
            await pool.fetchval("SELECT state = 'completed' FROM jobs WHERE id = $1", job_id)
        )

    done: bool = await eventually(completed, timeout=10)
    assert done
    rows = await pool.fetch("SELECT event FROM events WHERE job_id = $1 ORDER BY id", job_id)
    return [row["event"] for row in rows if row["event"] != "job_progress"]


async def test_a_push_of_a_stranger_waits_is_approved_and_judged(
    gates: Gates, scanner: Scanner, pool: Pool
) -> None:
    await scanner.scan(sha := commit(scanner))
    asked = await gates.evaluate(scanner.project_id, WantedGate(gate_type="lint", story_id="1.2"))
    waiting = await reached(gates, scanner, asked.job_id, "awaiting_approval")
    assert (waiting.commit_sha, waiting.verdict) == (sha, None)
    approved = await gates.approve(scanner.project_id, asked.job_id, Approval(by="Ann"))
    done = await reached(gates, scanner, approved.job_id, "done")
    assert (done.verdict, done.approved_by, done.commit_sha) == ("pass", "Ann", sha)
    assert "all is well" in done.log
    assert await told(pool, asked.job_id) == ["gate_awaiting_approval", "gate_evaluation_completed"]
    assert await told(pool, approved.job_id) == ["gate_evaluated", "gate_evaluation_completed"]
    compared = await pool.fetchval(
        "SELECT payload->'storyIds' FROM jobs WHERE kind = 'conflict_detection'"
        " AND dedupe_key LIKE 'gate-conflicts:%'"
    )
    assert compared == ["1.2"]


async def test_a_trusted_sender_need_not_wait(gates: Gates, scanner: Scanner) -> None:
    await trust(scanner, "*")
    await scanner.scan(commit(scanner, b"exit 1\n"))
    asked = await gates.evaluate(scanner.project_id, WantedGate(gate_type="lint"))
    done = await reached(gates, scanner, asked.job_id, "done")
    assert (done.verdict, done.approved_by) == ("fail", None)
