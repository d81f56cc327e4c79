"""Organisations that use something, and what the record then holds of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from worker.database.pool import Pool, fetch
from worker.jobs.ids import new_id
from worker.jobs.rows import columns
from worker.tenants.periods.calendar import KINDS, Period, period_of
from worker.tenants.usage.store import SQL

METRIC = "api.calls"


def at(text: str) -> datetime:
    """A moment as it is written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Used:
    """Usage of a metric at a moment."""

    metric: str
    moment: datetime
    quantity: int = 1


async def organisation(
    pool: Pool, org_id: str = "acme", zone: str = "UTC", created_at: str = "2026-01-01"
) -> str:
    """A new organisation; answers its id."""
    await pool.execute(
        "INSERT INTO organisations (id, name, timezone, created_at) VALUES ($1, $1, $2, $3)",
        org_id, zone, at(created_at),
    )  # fmt: skip
    return org_id


async def count(pool: Pool, org_id: str, used: Iterable[Used], zone: str = "UTC") -> None:
    """Let the counters of all three periods grow, by the statement that does it in earnest."""
    grown: dict[tuple[str, Period], tuple[int, int]] = {}
    for one in used:
        for kind in KINDS:
            key = one.metric, period_of(kind, one.moment, ZoneInfo(zone))
            quantity, events = grown.get(key, (0, 0))
            grown[key] = quantity + one.quantity, events + 1
    rows = sorted((org_id, m, p.kind, p.start, p.end, *sums) for (m, p), sums in grown.items())
    await fetch(pool, SQL.add, *columns(rows, 7))


async def table(pool: Pool, name: str, org_id: str = "acme") -> list[tuple[Any, ...]]:
    """An organisation's counters or history: metric, period, start, end, quantity, events."""
    rows = await pool.fetch(
        f"SELECT metric, period, period_start, period_end, quantity, events FROM {name}"
        " WHERE org_id = $1 ORDER BY metric, period, period_start",
        org_id,
    )
    return [tuple(row) for row in rows]


async def periods(pool: Pool, org_id: str = "acme") -> list[tuple[Any, ...]]:
    """An organisation's periods: kind, start, end, whether it is closed."""
    rows = await pool.fetch(
        "SELECT period, period_start, period_end, closed_at IS NOT NULL FROM usage_periods"
        " WHERE org_id = $1 ORDER BY period, period_start",
        org_id,
    )
    return [tuple(row) for row in rows]


async def endpoint(pool: Pool, org_id: str = "acme") -> None:
    """Have messages be recorded: somebody wants them."""
    await pool.execute(
        "INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id)"
        " VALUES ($1, $2, 'https://example.com', '', 'k')",
        new_id(), org_id,
    )  # fmt: skip


async def messages(pool: Pool) -> list[dict[str, Any]]:
    """The data of every message, by its period's beginning."""
    rows = await pool.fetch("SELECT event, body FROM outgoing_messages")
    assert {row["event"] for row in rows} <= {"usage.period_closed"}
    found = [orjson.loads(row["body"])["data"] for row in rows]
    return sorted(found, key=lambda data: (data["periodStart"], data["period"]))


async def audited(pool: Pool) -> list[tuple[str, ...]]:
    """Who, what and to what of every audit event."""
    rows = await pool.fetch(
        "SELECT actor_type, action, target_type, target_id FROM audit_events ORDER BY target_id"
    )
    return [tuple(row) for row in rows]
