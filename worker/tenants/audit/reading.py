"""The audit log as people read it: in pages, the latest first, or all of it, the oldest first."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import asyncpg
from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.names import Time, moment_and_id
from worker.jobs.paging import PageQuery, Wanted, cursor_as, page_of
from worker.jobs.payload_base import Name
from worker.jobs.views import Page, View, wire

SQL = queries.load(__file__)
_AT_ONCE = 200
_GROUP = ".*"
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_MOMENT = cursor_as(moment_and_id)


class AuditFilter(Wanted):
    """Which events: those that fit all that is given; `from` is included, `to` is not."""

    actor_type: Name | None = None
    actor_id: Name | None = None
    action: Annotated[Name | None, Field(description="exact, or all of a kind: `job.*`")] = None
    target_type: Name | None = None
    target_id: Name | None = None
    since: Time | None = Field(default=None, alias="from")
    until: Time | None = Field(default=None, alias="to")

    def arguments(self) -> list[Any]:
        """As the statements take them, without the times."""
        group = self.action is not None and self.action.endswith(_GROUP)
        action, prefix = (None, self.action) if group else (self.action, None)
        return [
            self.actor_type, self.actor_id, action, prefix and prefix.removesuffix("*"),
            self.target_type, self.target_id,
        ]  # fmt: skip


class AuditPage(AuditFilter, PageQuery):
    """A page of events, the latest first."""

    cursor: Annotated[tuple[datetime, UUID], _MOMENT[0], _MOMENT[1]] | None = None


class AuditParty(View):
    """Who did something, or what it was done to."""

    type: str
    id: str | None


class RecordedEvent(View):
    """What somebody did. Without an organisation it concerns the whole installation."""

    id: str
    org_id: str | None
    action: str
    actor: AuditParty
    target: AuditParty | None
    occurred_at: datetime
    recorded_at: datetime
    context: dict[str, Any]
    metadata: dict[str, Any]

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        """The event in a row."""
        target = row["target_type"]
        return cls(
            id=row["event_id"],
            org_id=row["org_id"],
            action=row["action"],
            actor=AuditParty(type=row["actor_type"], id=row["actor_id"]),
            target=target and AuditParty(type=target, id=row["target_id"]),
            occurred_at=row["occurred_at"],
            recorded_at=row["recorded_at"],
            context=row["context"],
            metadata=row["metadata"],
        )


class AuditReader:
    """Reads the log of an organisation, or of what belongs to none.

    Every method raises RecordUnavailable when Postgres is away.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, org_id: str | None, wanted: AuditPage) -> Page[RecordedEvent]:
        """A page of events, the latest first."""
        bounds = [wanted.cursor, wanted.until and (wanted.until, _FIRST)]
        before = min((b for b in bounds if b), default=(None, _LAST))
        rows = await fetch(
            self._pool, SQL.page, org_id, wanted.since, *before, *wanted.arguments(),
            wanted.limit + 1,
        )  # fmt: skip
        picked = page_of(rows, wanted.limit, lambda row: f"{row['occurred_at']} {row['id']}")
        return Page(items=[RecordedEvent.of(row) for row in picked.items], next=picked.next)

    async def export(self, org_id: str | None, wanted: AuditFilter) -> AsyncGenerator[bytes, None]:
        """All that fits as NDJSON, the oldest first, in parts of some hundred lines.

        Nothing is held open between two parts, and no more than one part is in memory.
        """
        after = wanted.since, _FIRST
        while rows := await fetch(
            self._pool, SQL.export, org_id, wanted.until, *after, *wanted.arguments(), _AT_ONCE
        ):
            yield b"".join(b"%b\n" % wire(RecordedEvent.of(row)) for row in rows)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1]["occurred_at"], rows[-1]["id"]
