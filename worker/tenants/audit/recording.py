"""The audit log as it is written: each event once, many in one statement, nothing ever changed."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from worker.database import queries
from worker.database.batcher import Batcher
from worker.database.pool import Pool, Transaction, encode_json, fetch
from worker.errors import PermanentError
from worker.jobs.ids import new_id
from worker.jobs.ledger import UNSTORABLE
from worker.jobs.rows import columns
from worker.jobs.tenant_payloads import AuditedEvent, Party

SQL = queries.load(__file__)
SWITCHYARD = Party(type="switchyard")
LONGEST_TEXT = 500
_UNKNOWN, _NEW = "unknown", "new"


async def record(connection: Transaction, events: Sequence[AuditedEvent]) -> None:
    """Record events in the caller's transaction, in one statement; what is there already stays."""
    if events:
        await connection.fetch(SQL.add, *_arguments(events, known_only=False))


def by_switchyard(
    org_id: str | None,
    action: str,
    target: Party,
    key: str,
    metadata: Mapping[str, Any],
    occurred_at: datetime,
) -> AuditedEvent:
    """What Switchyard did by itself. The same action with the same key is one event.

    Long texts in the metadata are cut.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return AuditedEvent(
        id=f"{action}:{digest}",
        org_id=org_id,
        action=action,
        actor=SWITCHYARD,
        target=target,
        occurred_at=occurred_at,
        metadata={name: cut(value) for name, value in metadata.items()},
    )


class AuditLog:
    """Records the events of many jobs together. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._events: Batcher[AuditedEvent, str] = Batcher(
            self._persist_many, max_items=500, max_flushes=2, crowd=50, isolate=UNSTORABLE
        )

    async def persist(self, event: AuditedEvent) -> bool:
        """Record an event; False when it was recorded before.

        Raises PermanentError for an organisation that is not known, and for what cannot be stored.
        """
        try:
            became = await self._events.submit(event)
        except UNSTORABLE as error:
            raise PermanentError(f"audit event {event.id} cannot be stored: {error}") from error
        if became == _UNKNOWN:
            raise PermanentError(f"audit event {event.id}: no organisation is {event.org_id!r}")
        return became == _NEW

    async def _persist_many(self, events: Sequence[AuditedEvent]) -> list[str]:
        arguments = _arguments(events, known_only=True)
        rows = await fetch(self._pool, SQL.add, *arguments)
        became = {row["id"]: row["became"] for row in rows}
        return [became[row_id] for row_id in arguments[0]]


def _arguments(events: Sequence[AuditedEvent], *, known_only: bool) -> list[Any]:
    """As `add` takes them."""
    return [*columns(map(_row, events), 11), known_only]


def _row(event: AuditedEvent) -> tuple[Any, ...]:
    target = event.target
    return (
        new_id(), event.org_id, event.id, event.action, event.actor.type, event.actor.id,
        target.type if target else None, target.id if target else None, event.occurred_at,
        encode_json(event.context), encode_json(event.metadata),
    )  # fmt: skip


def cut(value: object) -> object:
    """A value for the metadata: as it is, or the beginning of its text where that is long."""
    text = value if isinstance(value, str) else encode_json(value)
    return value if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT]
