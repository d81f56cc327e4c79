"""Messages: recorded once, for those who want them, with what their sending takes."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.chaos.processes import until
from tests.outgoing.records import ORG, counts, endpoint, rows
from worker.database.pool import Pool, atomically
from worker.jobs.payloads import PAYLOADS, concurrency_key, validate
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import WebhookDelivery
from worker.outgoing.messages import NewMessage, emit, emit_to

NOTHING = {"messages": 0, "deliveries": 0, "jobs": 0}


def message(**fields: Any) -> NewMessage:
    given = {"org_id": ORG, "event": "usage.threshold_reached", "data": {"n": 1}, "key": "k-1"}
    return NewMessage(**(given | fields))


async def emitted(pool: Pool, messages: Sequence[NewMessage]) -> list[Ring]:
    return await atomically(pool, lambda connection: emit(connection, messages))


async def test_what_nobody_wants_leaves_nothing_behind(pool: Pool) -> None:
    await endpoint(pool, "other")
    await endpoint(pool, events=["project.*"])
    assert await emitted(pool, [message(), message(org_id="unheard-of")]) == []
    assert await counts(pool) == NOTHING


async def test_no_messages_are_no_statement(pool: Pool) -> None:
    assert await emitted(pool, []) == []


async def test_a_message_becomes_a_delivery_and_a_job_for_each_that_wants_it(pool: Pool) -> None:
    wanting = {await endpoint(pool), await endpoint(pool, events=["x.y", "usage.*"])}
    await endpoint(pool, events=["usage.period_closed"])
    rings = await emitted(pool, [message()])
    [stored] = await rows(pool, "outgoing_messages")
    deliveries = await rows(pool, "outgoing_deliveries")
    jobs = await rows(pool, "jobs")
    assert {d["endpoint_id"] for d in deliveries} == wanting
    assert {(d["message_id"], d["state"], d["attempts"]) for d in deliveries} == {
        (stored["id"], "pending", 0)
    }
    assert {r.id for r in rings} == {j["id"] for j in jobs} == {d["job_id"] for d in deliveries}
    assert stored["id"].version == jobs[0]["id"].version == 7


async def test_its_job_is_as_the_queues_policy_and_payload_have_it(pool: Pool) -> None:
    to = await endpoint(pool)
    [ring] = await emitted(pool, [message()])
    [job] = await rows(pool, "jobs")
    [stored] = await rows(pool, "outgoing_messages")
    payload = validate(PAYLOADS[job["kind"]], job["payload"])
    assert payload == WebhookDelivery(org_id=ORG, endpoint_id=to, message_id=stored["id"])
    queue = QUEUES[job["queue"]]
    assert (job["kind"] in queue.kinds, job["max_attempts"]) == (True, queue.attempts)
    assert job["concurrency_key"] == concurrency_key(payload) == ring.key
    assert job["dedupe_key"] == f"delivery:{to}:{stored['id']}"
    assert (job["org_id"], job["project_id"], job["state"]) == (ORG, None, "queued")
    assert (ring.queue, ring.tenant, ring.run_at_ms) == ("webhooks", ORG, 0.0)


async def test_the_body_is_the_bytes_of_a_standard_webhook(pool: Pool) -> None:
    await endpoint(pool)
    at = datetime(2026, 3, 1, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2)))
    data = {"naïve": "ü \U0001f600", "list": [1, None, 2.5], "nul": "a\0b"}
    await emitted(pool, [message(data=data, occurred_at=at)])
    [stored] = await rows(pool, "outgoing_messages")
    assert json.loads(stored["body"]) == {
        "type": "usage.threshold_reached",
        "timestamp": "2026-02-28T23:02:03.000004+00:00",
        "data": data | {"nul": "a?b"},
    }


async def test_without_a_time_it_is_of_now(pool: Pool) -> None:
    await endpoint(pool)
    before = datetime.now(UTC)
    await emitted(pool, [message()])
    [stored] = await rows(pool, "outgoing_messages")
    told = datetime.fromisoformat(json.loads(stored["body"])["timestamp"])
    assert before <= told <= datetime.now(UTC)


async def test_the_same_key_is_told_once_however_often_it_comes(pool: Pool) -> None:
    await endpoint(pool)
    first = await emitted(pool, [message(), message(data={"n": 2})])
    assert len(first) == 1
    assert await emitted(pool, [message(data={"n": 3})]) == []
    assert await counts(pool) == {"messages": 1, "deliveries": 1, "jobs": 1}


async def test_the_same_key_at_the_same_time_is_told_once(pool: Pool) -> None:
    await endpoint(pool)
    batch = [message(key=f"k-{n}") for n in range(20)]
    orders = [batch, batch[::-1], batch[10:] + batch[:10]] * 4
    answers = await asyncio.gather(*(emitted(pool, order) for order in orders))
    assert sorted(map(len, answers)) == [0] * 11 + [20]
    assert await counts(pool) == {"messages": 20, "deliveries": 20, "jobs": 20}


async def test_another_organisation_may_have_the_same_key(pool: Pool) -> None:
    await endpoint(pool)
    await endpoint(pool, "other")
    assert len(await emitted(pool, [message(), message(org_id="other")])) == 2


@pytest.mark.parametrize("reason", ["asked", "gone", "failing"])
async def test_for_a_disabled_endpoint_the_delivery_is_skipped(pool: Pool, reason: str) -> None:
    await endpoint(pool, reason=reason)
    assert await emitted(pool, [message()]) == []
    [delivery] = await rows(pool, "outgoing_deliveries")
    assert (delivery["state"], delivery["job_id"]) == ("skipped", None)
    assert await counts(pool) == {"messages": 1, "deliveries": 1, "jobs": 0}


async def test_a_rolled_back_transaction_leaves_nothing(pool: Pool) -> None:
    await endpoint(pool)

    async def work(connection: Any) -> None:
        await emit(connection, [message()])
        raise LookupError

    with pytest.raises(LookupError):
        await atomically(pool, work)
    assert await counts(pool) == NOTHING


async def test_a_message_to_one_endpoint_goes_there_alone_whatever_it_wants(pool: Pool) -> None:
    to = await endpoint(pool, events=["project.*"])
    await endpoint(pool)
    message_id, ring = await atomically(pool, lambda c: emit_to(c, to, message()))
    [delivery] = await rows(pool, "outgoing_deliveries")
    assert (delivery["endpoint_id"], delivery["message_id"]) == (to, message_id)
    assert delivery["job_id"] == ring.id


async def test_an_endpoint_deleted_meanwhile_gets_nothing_and_breaks_nothing(pool: Pool) -> None:
    to = await endpoint(pool)
    async with pool.acquire() as other, pool.acquire() as connection:
        deleting = other.transaction()
        await deleting.start()
        await other.execute("DELETE FROM outgoing_endpoints WHERE id = $1", to)
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        emitting = asyncio.ensure_future(emit(connection, [message()]))
        waits = "SELECT cardinality(pg_blocking_pids($1)) > 0"
        await until(lambda: other.fetchval(waits, pid))
        await deleting.commit()
        assert await emitting == []
    assert await counts(pool) == NOTHING
