"""Events that organisations send: a job each, once, and nothing at all of what is wrong."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tests.tenants.test_audit import NOON
from worker.database.pool import Pool
from worker.errors import InvalidInput
from worker.jobs.payloads import PAYLOADS, validate
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.tenants.audit.intake import AcceptedEvents, AuditIntake, SubmittedEvents

SENT = {
    "id": "e-1", "action": "document.opened", "actor": {"type": "user", "id": "ann"},
    "target": {"type": "document"}, "occurredAt": "2030-01-31T13:00:00+01:00",
    "metadata": {"pages": 1},
}  # fmt: skip


def sent(*events: dict[str, Any]) -> SubmittedEvents:
    return SubmittedEvents.model_validate({"events": [SENT | e for e in events]})


async def accept(pool: Pool, batch: SubmittedEvents, org_id: str = "acme") -> tuple[int, int, int]:
    """How many were accepted, left out, and are to be rung."""
    intake = AuditIntake(pool, Planner(QUEUES))
    accepted, rings = await intake.accept(org_id, batch, NOON)
    assert isinstance(accepted, AcceptedEvents)
    return accepted.accepted, accepted.duplicates, len(rings)


async def jobs(pool: Pool) -> list[dict[str, Any]]:
    return [dict(row) for row in await pool.fetch("SELECT * FROM jobs ORDER BY id")]


async def test_each_event_is_a_job_that_its_handler_understands(pool: Pool) -> None:
    assert await accept(pool, sent({}, {"id": "e-2"})) == (2, 0, 2)
    first, second = await jobs(pool)
    assert (first["queue"], first["kind"], first["org_id"]) == (
        "flagship:audit", "audit_event", "acme",
    )  # fmt: skip
    assert (first["dedupe_key"], second["dedupe_key"]) == ("audit:acme:e-1", "audit:acme:e-2")
    assert first["payload"]["event"] == SENT | {
        "orgId": "acme", "occurredAt": "2030-01-31T12:00:00Z", "context": {},
    }  # fmt: skip
    validate(PAYLOADS["audit_event"], first["payload"])


async def test_an_event_that_was_sent_before_is_left_out(pool: Pool) -> None:
    await accept(pool, sent({}, {"id": "e-2"}))
    assert await accept(pool, sent({}, {"id": "e-2"}, {"id": "e-3"})) == (1, 2, 1)
    assert await accept(pool, sent({"id": "e-4"}, {"id": "e-4"})) == (1, 1, 1)
    assert len(await jobs(pool)) == 4


async def test_no_organisation_can_use_up_the_ids_of_another(pool: Pool) -> None:
    assert await accept(pool, sent({"id": "c"}), "a:b") == (1, 0, 1)
    assert await accept(pool, sent({"id": "b:c"}), "a") == (1, 0, 1)


async def test_events_may_be_as_far_ahead_as_clocks_are_apart(pool: Pool) -> None:
    ahead = (NOON + timedelta(minutes=5)).isoformat()
    assert await accept(pool, sent({"occurredAt": ahead})) == (1, 0, 1)
    later = (NOON + timedelta(minutes=5, seconds=1)).isoformat()
    batch = sent({"id": "a"}, {"id": "b", "occurredAt": later}, {"id": "c", "occurredAt": later})
    with pytest.raises(InvalidInput) as refused:
        await accept(pool, batch)
    assert refused.value.fields == {
        "events.1.occurredAt": "is in the future", "events.2.occurredAt": "is in the future",
    }  # fmt: skip
    assert len(await jobs(pool)) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": "NUL \0"}, "id"),
        ({"action": 5}, "action"),
        ({"actor": "ann"}, "actor"),
        ({"actor": {"id": "ann"}}, "actor"),
        ({"target": {"type": "x", "name": "y"}}, "target"),
        ({"occurredAt": "yesterday"}, "occurredAt"),
        ({"occurredAt": "2030-01-31T12:00:00"}, "occurredAt"),
        ({"occurredAt": "0001-01-01T00:00:00+14:00"}, "occurredAt"),
        ({"orgId": "other"}, "orgId"),
        ({"context": []}, "context"),
        ({"context": {"x": "y" * 4090}}, "context"),
        ({"metadata": {"x": "ü" * 2045}}, "metadata"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        sent({}, wrong)
    assert {error["loc"][:3] for error in refused.value.errors()} == {("events", 1, field)}


def test_details_may_be_four_kilobytes() -> None:
    assert sent({"context": {"x": "y" * 4088}}, {"metadata": {"x": "ü" * 2044}})


def test_there_is_an_end_to_a_batch() -> None:
    assert len(sent(*[{}] * 1000).events) == 1000
    for number in (0, 1001, 100_000):
        with pytest.raises(ValidationError) as refused:
            sent(*[{}] * number)
        assert [error["loc"] for error in refused.value.errors()] == [("events",)]
