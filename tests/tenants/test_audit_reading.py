"""Reading the audit log: filters, pages that neither leave out nor repeat, and exports."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.tenants.test_audit import NOON, event, record_all
from tests.test_sql import literal, nodes
from worker.database.pool import Pool
from worker.jobs.tenant_payloads import Party
from worker.tenants.audit.reading import SQL, AuditFilter, AuditPage, AuditReader


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


async def ids(pool: Pool, org_id: str | None = "acme", **wanted: Any) -> list[str]:
    page = await AuditReader(pool).page(org_id, AuditPage.model_validate(wanted))
    return [e.id for e in page.items]


async def exported(pool: Pool, org_id: str | None = "acme", **wanted: Any) -> list[dict[str, Any]]:
    parts = AuditReader(pool).export(org_id, AuditFilter.model_validate(wanted))
    return [json.loads(line) for part in [p async for p in parts] for line in part.splitlines()]


@pytest.fixture
async def filled(pool: Pool) -> Pool:
    await record_all(
        pool,
        event(1, occurred_at=at(1), action="job.retried", actor=Party(type="user", id="ann")),
        event(2, occurred_at=at(2), action="job.cancelled", actor=Party(type="user", id="bob")),
        event(3, occurred_at=at(3), action="jobs.listed", actor=Party(type="cli", id="ann")),
        event(4, occurred_at=at(4), action="job", target=None),
        event(5, org_id="other", occurred_at=at(5), action="job.retried"),
        event(6, org_id=None, occurred_at=at(6), action="queue.paused"),
    )
    return pool


async def test_an_organisation_sees_its_own_events_the_latest_first(filled: Pool) -> None:
    assert await ids(filled) == ["e-4", "e-3", "e-2", "e-1"]
    assert await ids(filled, "other") == ["e-5"]
    assert await ids(filled, "nobody") == []
    assert await ids(filled, None) == ["e-6"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"to": at(4).isoformat()}, [3, 2, 1]),
        ({"from": at(4).isoformat()}, [4]),
        ({"action": "job.retried"}, [1]),
        ({"action": "job.*"}, [2, 1]),
        ({"action": "job"}, [4]),
        ({"action": "%"}, []),
        ({"actorType": "cli"}, [3]),
        ({"actorId": "ann"}, [4, 3, 1]),
        ({"actorType": "user", "actorId": "ann"}, [4, 1]),
        ({"targetType": "document"}, [3, 2, 1]),
        ({"targetId": "d-2"}, [2]),
        ({"from": at(2).isoformat(), "to": at(4).isoformat()}, [3, 2]),
        ({"from": at(2).isoformat(), "action": "job.*"}, [2]),
    ],
)
async def test_filters_hold_together(
    filled: Pool, wanted: dict[str, str], expected: list[int]
) -> None:
    names = [f"e-{number}" for number in expected]
    assert await ids(filled, **wanted) == names
    assert [e["id"] for e in await exported(filled, **wanted)] == names[::-1]


async def test_pages_show_each_event_once_also_of_one_moment(pool: Pool) -> None:
    await record_all(pool, *(event(n, occurred_at=at(n // 5)) for n in range(23)))
    reader, seen = AuditReader(pool), list[str]()
    wanted: dict[str, Any] = {"limit": 4}
    while True:
        page = await reader.page("acme", AuditPage.model_validate(wanted))
        seen += [e.id for e in page.items]
        if page.next is None:
            break
        # What happens meanwhile is on no later page.
        await record_all(pool, event(100 + len(seen), occurred_at=at(9)))
        wanted["cursor"] = page.next
    whole = await exported(pool, to=at(9).isoformat())
    assert seen == [e["id"] for e in whole[::-1]]
    assert len(set(seen)) == 23


async def test_an_export_is_everything_in_parts(pool: Pool) -> None:
    await record_all(pool, *(event(n, occurred_at=at(n // 3)) for n in range(400)))
    parts = [p async for p in AuditReader(pool).export("acme", AuditFilter())]
    assert [part.count(b"\n") for part in parts] == [200, 200]
    found = await exported(pool)
    assert len({e["id"] for e in found}) == 400
    assert [e["occurredAt"] for e in found] == sorted(e["occurredAt"] for e in found)
    assert found[0] == {
        "id": "e-0", "orgId": "acme", "action": "document.opened",
        "actor": {"type": "user", "id": "ann"}, "target": {"type": "document", "id": "d-0"},
        "occurredAt": "2030-01-31T12:00:00+00:00", "recordedAt": found[0]["recordedAt"],
        "context": {"ip": "192.0.2.1"}, "metadata": {"pages": 0},
    }  # fmt: skip
    assert await exported(pool, "nobody") == []


# Names of their own: what tests before have deleted is still in the index.
FILL = """
INSERT INTO audit_events (id, org_id, event_id, action, actor_type, occurred_at)
SELECT gen_random_uuid(), $1 || n % 10, n::text, 'a', 'user', now() - make_interval(secs => n)
FROM generate_series(1, 20000) n
"""


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("name", ["page", "export"])
async def test_a_page_far_inside_costs_no_more_than_the_first(
    pool: Pool, name: str, generic: bool
) -> None:
    org = f"{name}-{generic}-"
    await pool.execute(FILL, org)
    await pool.execute("ANALYZE audit_events")
    far = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY occurred_at) FROM audit_events"
    arguments = [f"{org}3", None, await pool.fetchval(far), UUID(int=0), *[None] * 6, 50]
    mode = "force_generic_plan" if generic else "force_custom_plan"
    values = ", ".join(map(literal, arguments))
    async with pool.acquire() as connection:
        await connection.execute(
            f"SET plan_cache_mode = {mode}; PREPARE log AS {getattr(SQL, name)}"
        )
        try:
            [[[told]]] = await connection.fetch(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE log ({values})"
            )
        finally:
            await connection.execute("DEALLOCATE log; RESET plan_cache_mode")
    assert {n["Node Type"] for n in nodes(told["Plan"])} <= {"Limit", "Subquery Scan", "Index Scan"}
    assert told["Plan"]["Actual Rows"] == 50
    # The rows, and the way down the index.
    assert told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"] < 70
