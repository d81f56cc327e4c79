"""Writing the audit log: each event once, and nothing is ever changed."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from worker.database.pool import Pool, Transaction, atomically
from worker.errors import PermanentError
from worker.jobs.tenant_payloads import AuditedEvent, Party
from worker.tenants.audit.recording import AuditLog, by_switchyard, record

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


def event(number: int = 1, **more: Any) -> AuditedEvent:
    """Something that Ann did in acme."""
    given: dict[str, Any] = {
        "id": f"e-{number}", "org_id": "acme", "action": "document.opened",
        "actor": Party(type="user", id="ann"), "target": Party(type="document", id=f"d-{number}"),
        "occurred_at": NOON, "context": {"ip": "192.0.2.1"}, "metadata": {"pages": number},
    }  # fmt: skip
    return AuditedEvent(**given | more)


@pytest.fixture
async def acme(pool: Pool) -> str:
    """An organisation."""
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'Acme')")
    return "acme"


async def stored(pool: Pool) -> list[dict[str, Any]]:
    rows = await pool.fetch("SELECT * FROM audit_events ORDER BY org_id, event_id")
    return [dict(row) for row in rows]


async def record_all(pool: Pool, *events: AuditedEvent) -> None:
    async def work(connection: Transaction) -> None:
        await record(connection, events)

    await atomically(pool, work)


async def test_an_event_is_stored_with_all_that_it_says(pool: Pool, acme: str) -> None:
    assert await AuditLog(pool).persist(event()) is True
    [row] = await stored(pool)
    assert row.pop("id").version == 7
    assert row.pop("recorded_at").tzinfo is not None
    assert row == {
        "org_id": "acme", "event_id": "e-1", "action": "document.opened", "actor_type": "user",
        "actor_id": "ann", "target_type": "document", "target_id": "d-1", "occurred_at": NOON,
        "context": {"ip": "192.0.2.1"}, "metadata": {"pages": 1},
    }  # fmt: skip


async def test_the_same_event_changes_nothing_also_with_other_contents(
    pool: Pool, acme: str
) -> None:
    log = AuditLog(pool)
    await log.persist(event())
    assert await log.persist(event(action="document.deleted")) is False
    assert [row["action"] for row in await stored(pool)] == ["document.opened"]


async def test_organisations_have_ids_of_their_own(pool: Pool, acme: str) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('other', 'Other')")
    log = AuditLog(pool)
    assert [await log.persist(event(org_id=org)) for org in ("acme", "other", None)] == [True] * 3


async def test_many_at_once_share_a_statement_and_each_learns_what_became_of_it(
    pool: Pool, acme: str
) -> None:
    log = AuditLog(pool)
    await log.persist(event(3))
    became = await asyncio.gather(*(log.persist(event(n)) for n in [1, 2, 3, 4, 4, 5]))
    assert became[:3] == [True, True, False]
    assert sorted(became[3:]) == [False, True, True]
    transactions = await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM audit_events")
    assert (len(await stored(pool)), transactions) == (5, 2)


async def test_a_bad_one_fails_alone(pool: Pool, acme: str) -> None:
    log = AuditLog(pool)
    unstorable = event(2).model_copy(update={"action": "NUL \0"})
    became = await asyncio.gather(
        log.persist(event(1)), log.persist(unstorable), log.persist(event(3, org_id="nobody")),
        log.persist(event(4)), return_exceptions=True,
    )  # fmt: skip
    assert (became[0], became[3]) == (True, True)
    assert isinstance(became[1], PermanentError)
    assert "e-2 cannot be stored" in str(became[1])
    assert isinstance(became[2], PermanentError)
    assert str(became[2]) == "audit event e-3: no organisation is 'nobody'"
    assert [row["event_id"] for row in await stored(pool)] == ["e-1", "e-4"]


async def test_batches_with_the_same_events_in_other_orders_all_end(pool: Pool, acme: str) -> None:
    logs = [AuditLog(pool) for _ in range(4)]
    numbers = range(200)
    orders = [numbers, reversed(numbers), numbers, reversed(numbers)]
    became = await asyncio.gather(
        *(log.persist(event(n)) for log, order in zip(logs, orders, strict=True) for n in order)
    )
    assert became.count(True) == len(await stored(pool)) == 200


async def test_what_is_recorded_in_a_transaction_stands_and_falls_with_it(pool: Pool) -> None:
    async def work(connection: Transaction) -> None:
        await record(connection, [event(1), event(2)])
        raise LookupError

    with pytest.raises(LookupError):
        await atomically(pool, work)
    assert await stored(pool) == []
    await record_all(pool, event(1), event(2))
    await record_all(pool, event(2), event(3))
    await record_all(pool)
    assert [row["event_id"] for row in await stored(pool)] == ["e-1", "e-2", "e-3"]


async def test_what_switchyard_did_is_told_once(pool: Pool) -> None:
    flag = Party(type="flag", id="exports")

    def disabled(key: str = "action:1") -> AuditedEvent:
        told = {"reason": "ü" * 2000, "percent": 100}
        return by_switchyard("acme", "flag.disabled", flag, key, told, NOON)

    await record_all(pool, disabled())
    await record_all(pool, disabled())
    enabled = by_switchyard("acme", "flag.enabled", flag, "action:1", {}, NOON)
    await record_all(pool, disabled("action:2"), enabled)
    rows = await stored(pool)
    assert sorted(row["action"] for row in rows) == ["flag.disabled"] * 2 + ["flag.enabled"]
    assert {(row["actor_type"], row["actor_id"]) for row in rows} == {("switchyard", None)}
    assert next(r["metadata"] for r in rows if r["metadata"]) == {
        "reason": "ü" * 500, "percent": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE audit_events SET action = 'x'", "UPDATE"),
        ("UPDATE audit_events SET action = 'x' WHERE false", "UPDATE"),
        ("DELETE FROM audit_events", "DELETE"),
        ("TRUNCATE audit_events", "TRUNCATE"),
        ("TRUNCATE audit_events CASCADE", "TRUNCATE"),
        ("INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT"
         " (coalesce(org_id, ''), event_id) DO UPDATE SET action = 'x'", "UPDATE"),
    ],
)  # fmt: skip
async def test_nothing_is_changed_or_deleted_not_even_by_the_owner(
    pool: Pool, statement: str, name: str
) -> None:
    await record_all(pool, event())
    owner = await pool.fetchval(
        "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'audit_events'"
    )
    assert owner is True
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
        await pool.execute(statement)
    assert str(refused.value) == f"audit_events is append-only: {name} is refused"
    assert [row["action"] for row in await stored(pool)] == ["document.opened"]
