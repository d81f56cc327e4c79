"""An organisation with limits, counted by hand, and what came of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from worker.database.pool import Pool, Transaction, atomically
from worker.jobs.ids import new_id
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AutoAction, Notification, PeriodKind
from worker.tenants.actions import AutomaticActions
from worker.tenants.actions.model import Applied
from worker.tenants.limits.crossing import Total, crossed
from worker.tenants.limits.rules import Limits
from worker.tenants.limits.views import WantedLimit
from worker.tenants.periods.calendar import period_of
from worker.tenants.usage.store import SQL as USAGE_SQL

PLANNER = Planner(QUEUES)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Customer:
    """An organisation with a flag `search`, an API key, and an endpoint that wants everything."""

    pool: Pool
    id: str
    key_id: UUID

    @classmethod
    async def enrolled(cls, pool: Pool, org_id: str = "acme") -> "Customer":
        await pool.execute("INSERT INTO organisations (id, name) VALUES ($1, $1)", org_id)
        await pool.execute("INSERT INTO feature_flags (org_id, key) VALUES ($1, 'search')", org_id)
        await pool.execute(
            "INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id)"
            " VALUES ($1, $2, 'https://example.org/', '', 'k')",
            new_id(), org_id,
        )  # fmt: skip
        key_id = new_id()
        await pool.execute(
            "INSERT INTO api_keys (id, org_id, name, prefix, hash) VALUES ($1, $2, 'k', 'sy_', $3)",
            key_id, org_id, hashlib.sha256(key_id.bytes).digest(),
        )  # fmt: skip
        return cls(pool, org_id, key_id)

    async def limit(
        self,
        quantity: int,
        *rules: tuple[int, str, str] | dict[str, Any],
        metric: str = "calls",
        period: PeriodKind = "month",
        now: datetime | None = None,
    ) -> list[Ring]:
        """Set a limit; a rule is percent, action and target."""
        names = ("percent", "action", "targetId")
        given = [r if isinstance(r, dict) else dict(zip(names, r, strict=True)) for r in rules]
        wanted = WantedLimit.model_validate({"quantity": quantity, "rules": given})
        limits = Limits(self.pool, self.id)
        _, rings = await limits.put(metric, period, wanted, PLANNER, now)
        return rings

    async def count(
        self,
        quantity: int,
        metric: str = "calls",
        period: PeriodKind = "month",
        now: datetime | None = None,
        at: datetime | None = None,
    ) -> list[Ring]:
        """Count usage at a time, as an ingestion does, in one transaction with what follows."""

        async def work(connection: Transaction) -> list[Ring]:
            total = await counted(connection, self.id, quantity, metric, period, at or now)
            return await crossed(connection, PLANNER, [total], now)

        return await atomically(self.pool, work)

    async def reached(self) -> list[tuple[str, int]]:
        """The thresholds: metric and percent."""
        rows = await self.pool.fetch(
            "SELECT metric, percent FROM usage_thresholds WHERE org_id = $1"
            " ORDER BY period_start, metric, percent",
            self.id,
        )
        return [(row["metric"], row["percent"]) for row in rows]

    async def jobs(self, kind: str = "auto_action") -> list[dict[str, Any]]:
        """The payloads of the organisation's jobs of a kind, oldest first."""
        rows = await self.pool.fetch(
            "SELECT payload FROM jobs WHERE org_id = $1 AND kind = $2 ORDER BY id", self.id, kind
        )
        return [row["payload"] for row in rows]

    async def messages(self, *events: str) -> list[dict[str, Any]]:
        """What is told its endpoint of these events, or of any: the `data` of each."""
        rows = await self.pool.fetch(
            "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM outgoing_messages"
            " WHERE org_id = $1 AND (event = ANY ($2) OR cardinality($2::text[]) = 0) ORDER BY id",
            self.id, events,
        )  # fmt: skip
        return [row["body"]["data"] for row in rows]

    async def told(self) -> list[str]:
        """The events of all messages, in their order."""
        rows = await self.pool.fetch(
            "SELECT event FROM outgoing_messages WHERE org_id = $1 ORDER BY id", self.id
        )
        return [row["event"] for row in rows]

    async def audited(self) -> list[str]:
        """The actions in the audit log, in their order."""
        rows = await self.pool.fetch(
            "SELECT action FROM audit_events WHERE org_id = $1 ORDER BY id", self.id
        )
        return [row["action"] for row in rows]

    async def flag(self, key: str = "search") -> tuple[bool, str | None]:
        """Whether a flag is enabled, and why not."""
        row = await self.pool.fetchrow(
            "SELECT enabled, disabled_reason FROM feature_flags WHERE org_id = $1 AND key = $2",
            self.id, key,
        )  # fmt: skip
        assert row is not None
        return row["enabled"], row["disabled_reason"]

    async def switch(self, enabled: bool, key: str = "search") -> None:
        """Switch a flag by hand."""
        await self.pool.execute(
            "UPDATE feature_flags SET enabled = $3, disabled_reason = NULL, updated_at = now()"
            " WHERE org_id = $1 AND key = $2",
            self.id, key, enabled,
        )  # fmt: skip

    async def blocked(self) -> str | None:
        """Why its API key is blocked, if it is."""
        reason: str | None = await self.pool.fetchval(
            "SELECT blocked_reason FROM api_keys WHERE id = $1 AND blocked_at IS NOT NULL",
            self.key_id,
        )
        return reason

    async def act(
        self,
        action: str = "disable_feature",
        target: str = "search",
        reason: str = "abuse",
        job_id: UUID | None = None,
        **more: Any,
    ) -> Applied:
        """Have an automatic action taken by a job of its own."""
        wanted = AutoAction.model_validate(
            {"orgId": self.id, "action": action, "targetId": target, "reason": reason} | more
        )
        return await AutomaticActions(self.pool).apply(job_id or new_id(), wanted, PLANNER.job)


async def counted(
    connection: Transaction,
    org_id: str,
    quantity: int,
    metric: str = "calls",
    period: PeriodKind = "month",
    at: datetime | None = None,
) -> Total:
    """Add to a counter; answers its total, with what was archived of it."""
    zone = await connection.fetchval("SELECT timezone FROM organisations WHERE id = $1", org_id)
    span = period_of(period, at or datetime.now(UTC), ZoneInfo(zone))
    row = (org_id, metric, period, span.start, span.end, quantity, 1)
    columns: Sequence[list[Any]] = [[value] for value in row]
    [held] = await connection.fetch(USAGE_SQL.add, *columns)
    archived = await connection.fetch(USAGE_SQL.archived, *columns[:4])
    total = held["quantity"] + sum(r["quantity"] for r in archived)
    return Total(org_id, metric, period, span.start, span.end, total)


def notification_of(job: dict[str, Any]) -> Notification:
    """The payload of a notification's job."""
    return Notification.model_validate(job)
