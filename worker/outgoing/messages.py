"""Messages to an organisation's endpoints: recorded once, with all that their sending takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from worker.database import queries
from worker.database.pool import Transaction, encode_json
from worker.jobs.ring import Ring
from worker.metrics import JOBS_ENQUEUED

SQL = queries.load(__file__)


@dataclass(slots=True)
class NewMessage:
    """Something to tell an organisation; what has the same `key` is told once.

    `occurred_at` is the time in the message; without it, it is now.
    """

    org_id: str
    event: str
    data: dict[str, Any]
    key: str
    project_id: UUID | None = None
    occurred_at: datetime | None = None


async def emit(
    connection: Transaction, messages: Sequence[NewMessage], *, not_to: UUID | None = None
) -> list[Ring]:
    """Record messages in the caller's transaction; answers what to ring once it is committed.

    One that no endpoint of the organisation wants leaves nothing behind. For a disabled endpoint
    the delivery is recorded as skipped. `not_to` is an endpoint that is not told.
    """
    return [Ring.of_row(row) for row in await _send(connection, messages, None, not_to)]


async def emit_to(
    connection: Transaction, endpoint_id: UUID, message: NewMessage
) -> tuple[UUID, Ring]:
    """The same for one enabled endpoint alone, whatever it wants; answers the message's id, too."""
    [row] = await _send(connection, [message], endpoint_id, None)
    return row["message_id"], Ring.of_row(row)


async def _send(
    connection: Transaction,
    messages: Sequence[NewMessage],
    only_to: UUID | None,
    not_to: UUID | None,
) -> list[Record]:
    if not messages:
        return []
    now = datetime.now(UTC)
    rows = await connection.fetch(
        SQL.send,
        [m.org_id for m in messages],
        [m.event for m in messages],
        [m.key for m in messages],
        [m.project_id for m in messages],
        [m.occurred_at or now for m in messages],
        [encode_json(m.data) for m in messages],
        only_to,
        not_to,
    )
    for row in rows:
        JOBS_ENQUEUED.labels(row["queue"]).inc()
    return rows
