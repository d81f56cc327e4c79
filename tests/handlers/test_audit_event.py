"""Audit events through the engine: recorded once, in batches, and bad ones buried with a reason."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from arq.connections import ArqRedis

from tests.handlers.running import running
from tests.support import eventually
from tests.tenants.test_audit import event
from worker.database.pool import Pool
from worker.handlers.audit_event import audit_event
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.jobs.tenant_payloads import AuditedEvent, AuditEvent
from worker.tenants.audit.recording import AuditLog


@pytest.fixture
async def acme(pool: Pool) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'Acme')")


def working(pool: Pool, redis: ArqRedis) -> AbstractAsyncContextManager[None]:
    """An engine for the audit queue."""
    context = surroundings(pool)
    return running(pool, redis, lambda *_: context, "flagship:audit")


def surroundings(pool: Pool) -> Any:
    """All that the handler needs."""
    return SimpleNamespace(audit=AuditLog(pool))


def planned(*events: AuditedEvent) -> list[NewJob]:
    return [Planner(QUEUES).job(AuditEvent(event=e)) for e in events]


async def ended(pool: Pool, jobs: Sequence[NewJob]) -> dict[UUID, Any]:
    """The jobs by id, once none waits or runs."""
    ids = [job.id for job in jobs]

    async def all_ended() -> bool:
        unfinished = "SELECT count(*) FROM jobs WHERE id = ANY ($1) AND finished_at IS NULL"
        return bool(await pool.fetchval(unfinished, ids) == 0)

    done: bool = await eventually(all_ended, timeout=10)
    assert done
    return {row["id"]: row for row in await pool.fetch("SELECT * FROM jobs")}


async def test_events_are_recorded_once_whatever_is_repeated(
    pool: Pool, redis: ArqRedis, acme: None
) -> None:
    jobs = planned(*(event(n) for n in range(40)), *(event(n) for n in range(10)))
    await Ledger(pool).add(jobs)
    async with working(pool, redis):
        rows = await ended(pool, jobs)
    assert {row["state"] for row in rows.values()} == {"completed"}
    assert sum(row["result"]["data"]["duplicate"] for row in rows.values()) == 10
    assert await pool.fetchval("SELECT count(*) FROM audit_events") == 40


async def test_a_job_that_runs_twice_leaves_the_same_state(pool: Pool, acme: None) -> None:
    for _ in range(2):
        await audit_event(AuditEvent(event=event()), surroundings(pool))
    assert await pool.fetchval("SELECT count(*) FROM audit_events") == 1


async def test_what_cannot_be_recorded_is_buried_at_once_with_the_reason(
    pool: Pool, redis: ArqRedis, acme: None
) -> None:
    good, unknown, invalid = planned(event(1), event(2, org_id="nobody"), event(3))
    del invalid.payload["event"]["actor"]
    early, late = planned(event(4), event(5))
    early.payload["event"]["occurredAt"] = "0001-01-01T00:00:00+14:00"
    late.payload["event"]["occurredAt"] = "9999-12-31T23:59:59-14:00"
    jobs = [good, unknown, invalid, early, late]
    await Ledger(pool).add(jobs)
    async with working(pool, redis):
        rows = await ended(pool, jobs)
    assert rows[good.id]["state"] == "completed"
    for job, told in (
        (unknown, "audit event e-2: no organisation is 'nobody'"), (invalid, "event.actor"),
        (early, "audit event e-4 cannot be stored"), (late, "audit event e-5 cannot be stored"),
    ):  # fmt: skip
        assert (rows[job.id]["state"], rows[job.id]["attempt"]) == ("dead", 1)
        assert told in rows[job.id]["error"]
    assert await pool.fetchval("SELECT count(*) FROM audit_events") == 1
