"""Jobs made from payloads, and recorded as part of a transaction of somebody else's."""

from typing import Any

import pytest

from worker.database.pool import Pool, Transaction, atomically
from worker.jobs.ids import new_id
from worker.jobs.model import NewJob
from worker.jobs.payload_base import Payload
from worker.jobs.payloads import ReportSweep
from worker.jobs.planning import Planner, key_of, record
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AuditEvent, Notification, WebhookDelivery

ENDPOINT = new_id()
PLANNER = Planner(QUEUES)
EVENT = {
    "id": "e", "orgId": "o-2", "action": "invoice.sent", "actor": {"type": "user"},
    "occurredAt": "2026-03-29T00:00:00Z",
}  # fmt: skip
MADE: list[tuple[Payload, dict[str, Any]]] = [
    (
        WebhookDelivery(org_id="o-1", endpoint_id=ENDPOINT, message_id=new_id()),
        {"queue": "webhooks", "max_attempts": 6, "org_id": "o-1",
         "concurrency_key": f"endpoint:{ENDPOINT}"},
    ),
    (
        AuditEvent.model_validate({"event": EVENT}),
        {"queue": "flagship:audit", "kind": "audit_event", "org_id": "o-2"},
    ),
    (ReportSweep(), {"queue": "github-reports", "org_id": "given", "concurrency_key": None}),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "expected"), MADE)
def test_a_job_follows_its_queues_policy(payload: Payload, expected: dict[str, Any]) -> None:
    job = PLANNER.job(payload, "key", org_id="given")
    assert {name: getattr(job, name) for name in expected} == expected
    assert (job.payload, job.dedupe_key) == (payload.wire(), "key")
    assert len(job.traceparent or "") == 55


def told(key: str) -> NewJob:
    payload = Notification(org_id="o-1", type="limit_exceeded", data={})
    return PLANNER.job(payload, key)


async def test_what_is_recorded_is_answered_to_be_rung_and_a_known_key_is_not(pool: Pool) -> None:
    first, second, again = told("a"), told("b"), told("a")

    async def work(connection: Transaction) -> list[list[Ring]]:
        batches: tuple[list[NewJob], ...] = ([first], [again, second], [])
        return [await record(connection, batch) for batch in batches]

    assert await atomically(pool, work) == [[Ring.of(first)], [Ring.of(second)], []]
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 2


async def test_what_is_recorded_goes_with_its_transaction(pool: Pool) -> None:
    async def work(connection: Transaction) -> None:
        await record(connection, [told("a")])
        raise LookupError

    with pytest.raises(LookupError):
        await atomically(pool, work)
    assert await pool.fetchval("SELECT count(*) FROM jobs") == 0


def test_no_organisations_keys_are_anothers() -> None:
    assert key_of("usage", "acme", "b", "c") == "usage:acme:b:c"
    assert key_of("usage", "a", "b:c") != key_of("usage", "a:b", "c")
    assert key_of("usage", "a%3Ab", "c") != key_of("usage", "a:b", "c")
