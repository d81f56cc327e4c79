"""History: what an endpoint was sent, page by page and in full; and what is forgotten of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.outgoing.records import ORG, counts, endpoint, rows
from worker.database.pool import Pool, atomically
from worker.errors import NotFound
from worker.jobs.ids import new_id
from worker.outgoing.history import DeliveryQuery, OutgoingHistory, id_bounds
from worker.outgoing.messages import NewMessage, emit

NOTHING = {"messages": 0, "deliveries": 0, "jobs": 0}
USAGE, PROJECT = "usage.period_closed", "project.job_dead"


@pytest.fixture
def history(pool: Pool) -> OutgoingHistory:
    return OutgoingHistory(pool)


async def sent(pool: Pool, *events: str) -> list[UUID]:
    """Messages of these events, in the order of their making."""
    for event in events:
        message = NewMessage(ORG, event, {"ü": 1}, str(new_id()))
        await atomically(pool, lambda c, m=message: emit(c, [m]))  # type: ignore[misc]
    return [row["id"] for row in await rows(pool, "outgoing_messages")]


async def state(pool: Pool, message_id: UUID, value: str) -> None:
    await pool.execute(
        "UPDATE outgoing_deliveries SET state = $2 WHERE message_id = $1", message_id, value
    )


async def attempted(pool: Pool, to: UUID, message_id: UUID, attempt: int, **more: Any) -> UUID:
    given: dict[str, Any] = {"status": 200, "error_class": None, "error": None, "answer": b"ok"}
    values = given | more
    attempt_id = new_id()
    await pool.execute(
        "INSERT INTO outgoing_attempts (id, endpoint_id, message_id, job_id, attempt, started_at, "
        "duration_ms, status, error_class, error, answer) "
        "VALUES ($1, $2, $3, $4, $5, now(), 12, $6, $7, $8, $9)",
        attempt_id, to, message_id, new_id(), attempt, *(values[name] for name in given),
    )  # fmt: skip
    return attempt_id


def wanted(**fields: Any) -> DeliveryQuery:
    return DeliveryQuery.model_validate(fields)


async def found(history: OutgoingHistory, endpoint_id: UUID, **query: Any) -> list[UUID]:
    page = await history.page(ORG, endpoint_id, wanted(**query))
    return [delivery.message_id for delivery in page.items]


async def test_deliveries_are_shown_newest_first_and_page_by_page(
    pool: Pool, history: OutgoingHistory
) -> None:
    to = await endpoint(pool)
    await endpoint(pool)
    ids = await sent(pool, *[USAGE] * 5)
    assert await found(history, to) == ids[::-1]
    seen: list[UUID] = []
    page = await history.page(ORG, to, wanted(limit=2))
    seen += [d.message_id for d in page.items]
    while page.next:
        page = await history.page(ORG, to, wanted(limit=2, cursor=page.next))
        seen += [d.message_id for d in page.items]
    assert seen == ids[::-1]


async def test_deliveries_are_filtered_by_state_and_event(
    pool: Pool, history: OutgoingHistory
) -> None:
    to = await endpoint(pool)
    ids = await sent(pool, USAGE, PROJECT, "project.gate_evaluated", USAGE)
    await state(pool, ids[1], "failed")
    await state(pool, ids[3], "failed")
    assert await found(history, to, state="failed") == [ids[3], ids[1]]
    assert await found(history, to, event=USAGE) == [ids[3], ids[0]]
    assert await found(history, to, event="project.*") == [ids[2], ids[1]]
    assert await found(history, to, event="*") == ids[::-1]
    assert await found(history, to, event="project.*", state="failed") == [ids[1]]


async def test_deliveries_are_filtered_by_when_their_messages_were_made(
    pool: Pool, history: OutgoingHistory
) -> None:
    to = await endpoint(pool)
    ids = await sent(pool, *[USAGE] * 4)
    made = [m["created_at"] for m in await rows(pool, "outgoing_messages")]
    assert await found(history, to, **{"from": made[1].isoformat()}) == [ids[3], ids[2], ids[1]]
    assert await found(history, to, to=made[2].isoformat()) == [ids[1], ids[0]]
    both = {"from": made[1].isoformat(), "to": made[2].isoformat()}
    assert await found(history, to, **both) == [ids[1]]


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_no_time_is_out_of_bounds(year: int) -> None:
    moment = datetime(year, 12 if year == 9999 else 1, 1, tzinfo=UTC)
    after, before = id_bounds(moment, moment)
    assert after is not None
    assert before is not None
    assert after <= before


async def test_an_id_lies_within_the_bounds_of_the_time_beside_it(pool: Pool) -> None:
    await endpoint(pool)
    await sent(pool, USAGE)
    [message] = await rows(pool, "outgoing_messages")
    at = message["created_at"]
    after, before = id_bounds(at, at + timedelta(microseconds=1))
    assert after is not None
    assert before is not None
    assert after < message["id"] < before


async def test_a_delivery_shows_its_body_and_every_attempt(
    pool: Pool, history: OutgoingHistory
) -> None:
    to = await endpoint(pool)
    [message] = await sent(pool, USAGE)
    failed = {"status": 500, "error_class": "server_error", "error": "it answered 500"}
    await attempted(pool, to, message, 1, **failed, answer=b"\xff<no>")
    await attempted(pool, to, message, 2, status=None, error_class="timeout", answer=None)
    await attempted(pool, to, message, 3)
    shown = await history.get(ORG, to, message)
    assert [a.attempt for a in shown.history] == [1, 2, 3]
    assert [a.status for a in shown.history] == [500, None, 200]
    assert [a.answer for a in shown.history] == ["�<no>", None, "ok"]
    assert (shown.history[0].error_class, shown.history[0].error) == (
        "server_error", "it answered 500",
    )  # fmt: skip
    [stored] = await rows(pool, "outgoing_messages")
    assert shown.body.encode() == stored["body"]
    assert json.loads(shown.body)["data"] == {"ü": 1}


async def test_what_is_anothers_is_not_found(pool: Pool, history: OutgoingHistory) -> None:
    to, other = await endpoint(pool), await endpoint(pool, "other")
    [message] = await sent(pool, USAGE)
    with pytest.raises(NotFound):
        await history.page("other", to, wanted())
    for org_id, endpoint_id in (("other", to), ("other", other), (ORG, other), (ORG, UUID(int=1))):
        with pytest.raises(NotFound):
            await history.get(org_id, endpoint_id, message)
    with pytest.raises(NotFound, match="no message"):
        await history.get(ORG, to, UUID(int=1))


async def test_old_messages_are_forgotten_with_all_that_hangs_on_them(
    pool: Pool, history: OutgoingHistory
) -> None:
    to = await endpoint(pool)
    old, older, fresh = await sent(pool, USAGE, USAGE, USAGE)
    for message in (old, older):
        await attempted(pool, to, message, 1)
        await state(pool, message, "failed")
        await aged(pool, message, 31)
    assert await history.forget(30) == 2
    assert [m["id"] for m in await rows(pool, "outgoing_messages")] == [fresh]
    assert await rows(pool, "outgoing_attempts") == []
    assert await history.forget(30) == 0


async def test_what_is_still_to_be_delivered_is_kept(pool: Pool, history: OutgoingHistory) -> None:
    await endpoint(pool)
    [message] = await sent(pool, USAGE)
    await aged(pool, message, 31)
    assert await history.forget(30) == 0
    await pool.execute("UPDATE jobs SET state = 'cancelled', finished_at = now()")
    assert await history.forget(30) == 1
    assert await counts(pool) == NOTHING | {"jobs": 1}


async def test_forgetting_takes_as_many_turns_as_it_needs(
    pool: Pool, history: OutgoingHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.outgoing.history.AT_ONCE", 2)
    await endpoint(pool, reason="gone")
    for message in await sent(pool, *[USAGE] * 5):
        await aged(pool, message, 31)
    assert await history.forget(30) == 5


async def aged(pool: Pool, message_id: UUID, days: int) -> None:
    await pool.execute(
        "UPDATE outgoing_messages SET created_at = now() - make_interval(days => $2) "
        "WHERE id = $1", message_id, days,
    )  # fmt: skip
