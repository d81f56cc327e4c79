"""Disabling and enabling: once, forgotten or noticed, and told to whom it concerns."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.outgoing.records import ORG, endpoint, rows
from worker.database.pool import Pool, atomically
from worker.jobs.payloads import PAYLOADS, validate
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AuditEvent, EndpointProbe, Notification, Party
from worker.outgoing.switching import disable, disable_as_asked, enable


async def disabled(pool: Pool, endpoint_id: UUID, reason: Any) -> list[Ring]:
    return await atomically(pool, lambda connection: disable(connection, endpoint_id, reason))


async def by_hand(pool: Pool, endpoint_id: UUID) -> list[Ring]:
    return await atomically(pool, lambda connection: disable_as_asked(connection, endpoint_id))


async def enabled(pool: Pool, endpoint_id: UUID) -> list[Ring]:
    return await atomically(pool, lambda connection: enable(connection, endpoint_id))


async def failing(pool: Pool, endpoint_id: UUID) -> None:
    await pool.execute(
        "UPDATE outgoing_endpoints SET failures = 7, failing_since = now() - interval '5 days', "
        "open_until = now(), probing_until = now(), slow_until = now() WHERE id = $1",
        endpoint_id,
    )


async def row(pool: Pool, endpoint_id: UUID) -> asyncpg.Record:
    found = await pool.fetchrow("SELECT * FROM outgoing_endpoints WHERE id = $1", endpoint_id)
    assert found is not None
    return found


async def payloads(pool: Pool) -> dict[str, Any]:
    """The checked payload of the one job of each kind."""
    jobs = await rows(pool, "jobs")
    assert len({job["kind"] for job in jobs}) == len(jobs)
    return {job["kind"]: validate(PAYLOADS[job["kind"]], job["payload"]) for job in jobs}


async def test_one_that_is_gone_is_disabled_audited_and_told(pool: Pool) -> None:
    to = await endpoint(pool, events=["endpoint.disabled"])
    other = await endpoint(pool, events=["endpoint.*"])
    await endpoint(pool, events=["usage.*"])
    rings = await disabled(pool, to, "gone")
    left = await row(pool, to)
    assert (left["state"], left["disabled_reason"], left["probe_at"]) == ("disabled", "gone", None)
    jobs = await payloads(pool)
    assert set(jobs) == {"audit_event", "notification", "webhook_delivery"}
    assert {r.id for r in rings} == {job["id"] for job in await rows(pool, "jobs")}
    assert [d["endpoint_id"] for d in await rows(pool, "outgoing_deliveries")] == [other]
    assert jobs["webhook_delivery"].endpoint_id == other
    [told] = await rows(pool, "outgoing_messages")
    body = json.loads(told["body"])
    assert body["type"] == "endpoint.disabled"
    assert body["data"] == {
        "endpointId": str(to), "url": "https://example.org/hook", "reason": "gone",
        "at": left["disabled_at"].isoformat(),
    }  # fmt: skip


async def test_the_notice_and_the_audit_say_which_and_why(pool: Pool) -> None:
    to = await endpoint(pool)
    await failing(pool, to)
    await disabled(pool, to, "failing")
    jobs, at = await payloads(pool), (await row(pool, to))["disabled_at"]
    assert isinstance(jobs["notification"], Notification)
    assert (jobs["notification"].org_id, jobs["notification"].type) == (ORG, "endpoint_disabled")
    assert jobs["notification"].key == f"endpoint_disabled:{to}:{at.isoformat()}"
    assert jobs["notification"].data == {
        "endpointId": str(to), "url": "https://example.org/hook", "reason": "failing",
        "at": at.isoformat(), "failures": 7,
    }  # fmt: skip
    assert isinstance(jobs["audit_event"], AuditEvent)
    event = jobs["audit_event"].event
    assert (event.org_id, event.action, event.actor.type) == (
        ORG, "endpoint.disabled", "switchyard",
    )  # fmt: skip
    assert event.target == Party(type="endpoint", id=str(to))
    assert (event.occurred_at, event.metadata) == (at, {"reason": "failing"})
    keys = {job["kind"]: job["dedupe_key"] for job in await rows(pool, "jobs")}
    assert keys["notification"] == f"notification:{ORG}:{jobs['notification'].key}"
    assert keys["audit_event"] == f"audit:{ORG}:{event.id}"


async def test_one_that_fails_is_probed_in_an_hour(pool: Pool) -> None:
    to = await endpoint(pool)
    await failing(pool, to)
    rings = await disabled(pool, to, "failing")
    left = await row(pool, to)
    assert left["probe_at"] - left["disabled_at"] == timedelta(hours=1)
    assert (left["open_until"], left["probing_until"], left["slow_until"]) == (None, None, None)
    [job] = [job for job in await rows(pool, "jobs") if job["kind"] == "endpoint_probe"]
    assert validate(EndpointProbe, job["payload"]) == EndpointProbe(endpoint_id=to)
    assert (job["run_at"], job["org_id"]) == (left["probe_at"], ORG)
    [ring] = [ring for ring in rings if ring.id == job["id"]]
    assert ring.run_at_ms == pytest.approx(left["probe_at"].timestamp() * 1000)


async def test_disabling_twice_at_once_is_told_once(pool: Pool) -> None:
    to = await endpoint(pool)
    await endpoint(pool)
    answers = await asyncio.gather(*(disabled(pool, to, "gone") for _ in range(4)))
    assert sorted(map(len, answers)) == [0, 0, 0, 3]
    assert await disabled(pool, to, "failing") == []
    assert (await row(pool, to))["disabled_reason"] == "gone"


async def test_what_does_not_exist_is_not_disabled(pool: Pool) -> None:
    assert await disabled(pool, UUID(int=1), "gone") == []
    assert await enabled(pool, UUID(int=1)) == []


async def test_by_hand_it_is_told_and_neither_noticed_nor_probed(pool: Pool) -> None:
    to = await endpoint(pool)
    other = await endpoint(pool)
    [ring] = await by_hand(pool, to)
    assert ring.key == f"endpoint:{other}"
    assert [job["kind"] for job in await rows(pool, "jobs")] == ["webhook_delivery"]
    assert (await row(pool, to))["disabled_reason"] == "asked"


async def test_by_hand_ends_the_probing_of_one_that_fails(pool: Pool) -> None:
    to = await endpoint(pool)
    await disabled(pool, to, "failing")
    before = await row(pool, to)
    assert await by_hand(pool, to) == []
    left = await row(pool, to)
    assert (left["disabled_reason"], left["probe_at"]) == ("asked", None)
    assert left["disabled_at"] == before["disabled_at"]


async def test_enabling_forgets_failures_and_tells(pool: Pool) -> None:
    to = await endpoint(pool, events=["endpoint.enabled"])
    await failing(pool, to)
    await disabled(pool, to, "failing")
    [ring] = await enabled(pool, to)
    left = await row(pool, to)
    forgotten = (
        "disabled_reason", "disabled_at", "probe_at", "failing_since", "open_until",
        "probing_until", "slow_until",
    )  # fmt: skip
    assert (left["state"], left["failures"]) == ("enabled", 0)
    assert [left[name] for name in forgotten] == [None] * len(forgotten)
    assert ring.key == f"endpoint:{to}"
    [told] = await rows(pool, "outgoing_messages")
    assert json.loads(told["body"])["data"]["reason"] == "failing"


async def test_enabling_one_that_is_enabled_closes_its_breaker_and_tells_nobody(pool: Pool) -> None:
    to = await endpoint(pool)
    await failing(pool, to)
    assert await enabled(pool, to) == []
    left = await row(pool, to)
    assert (left["failures"], left["open_until"]) == (0, None)


async def test_every_round_of_disabling_and_enabling_is_told_anew(pool: Pool) -> None:
    to = await endpoint(pool)
    await endpoint(pool)
    for _ in range(3):
        await disabled(pool, to, "gone")
        await enabled(pool, to)
    told = [message["event"] for message in await rows(pool, "outgoing_messages")]
    assert told == ["endpoint.disabled", "endpoint.enabled"] * 3
    kinds = [job["kind"] for job in await rows(pool, "jobs")]
    assert (kinds.count("audit_event"), kinds.count("notification")) == (3, 3)
