"""Disabling endpoints and enabling them again, and telling of it whoever did not ask for it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record

from worker.database import queries
from worker.database.pool import Transaction
from worker.jobs.model import NewJob
from worker.jobs.planning import Planner, key_of, record
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AuditedEvent, AuditEvent, EndpointProbe, Notification, Party
from worker.outgoing.messages import NewMessage, emit

SQL = queries.load(__file__)
FIRST_PROBE_HOURS = 1
_PLANNER = Planner(QUEUES)


async def disable(
    connection: Transaction, endpoint_id: UUID, reason: Literal["gone", "failing"]
) -> list[Ring]:
    """Send an endpoint nothing more, and tell its organisation; answers what to ring.

    It is audited, notified and told to the organisation's other endpoints, and one that is
    `failing` is probed. Nothing happens to one that is disabled already.
    """
    row = await connection.fetchrow(SQL.disable, endpoint_id, reason, FIRST_PROBE_HOURS)
    if row is None:
        return []
    jobs = [audited("endpoint.disabled", endpoint_id, row, {"reason": reason})]
    jobs.append(_notification(endpoint_id, row))
    if row["probe_at"] is not None:
        jobs.append(probe(endpoint_id, row["org_id"], row["probe_at"]))
    told = await emit(
        connection, [_message("endpoint.disabled", endpoint_id, row)], not_to=endpoint_id
    )
    return told + await record(connection, jobs)


async def disable_as_asked(connection: Transaction, endpoint_id: UUID) -> list[Ring]:
    """The same by hand: whoever asks for it needs no notice, and is audited as the caller.

    One that is disabled already is so by hand from now on, and probed no more.
    """
    row = await connection.fetchrow(SQL.disable, endpoint_id, "asked", FIRST_PROBE_HOURS)
    if row is None:
        await connection.execute(SQL.keep_disabled, endpoint_id)
        return []
    message = _message("endpoint.disabled", endpoint_id, row)
    return await emit(connection, [message], not_to=endpoint_id)


async def enable(connection: Transaction, endpoint_id: UUID) -> list[Ring]:
    """Send to an endpoint again and forget its failures; answers what to ring."""
    row = await connection.fetchrow(SQL.enable, endpoint_id)
    if row is None or row["reason"] is None:
        return []
    return await emit(connection, [_message("endpoint.enabled", endpoint_id, row)])


def audited(action: str, endpoint_id: UUID, row: Record, metadata: dict[str, str]) -> NewJob:
    """The job that has the audit log tell what Switchyard did to an endpoint, and when (`at`)."""
    org_id, at = row["org_id"], row["at"]
    event_id = f"{action}:{endpoint_id}:{at.isoformat()}"
    event = AuditedEvent(
        id=event_id, org_id=org_id, action=action, actor=Party(type="switchyard"),
        target=Party(type="endpoint", id=str(endpoint_id)), occurred_at=at, metadata=metadata,
    )  # fmt: skip
    return _PLANNER.job(AuditEvent(event=event), key_of("audit", org_id, event_id))


def probe(endpoint_id: UUID, org_id: str, at: datetime) -> NewJob:
    """The job that sees at that time whether an endpoint works again."""
    key = f"probe:{endpoint_id}:{at.isoformat()}"
    return _PLANNER.job(EndpointProbe(endpoint_id=endpoint_id), key, org_id=org_id, run_at=at)


def _notification(endpoint_id: UUID, row: Record) -> NewJob:
    key = f"endpoint_disabled:{endpoint_id}:{row['at'].isoformat()}"
    notification = Notification(
        org_id=row["org_id"], type="endpoint_disabled", key=key,
        data=_data(endpoint_id, row) | {"failures": row["failures"]},
    )  # fmt: skip
    return _PLANNER.job(notification, key_of("notification", row["org_id"], key))


def _message(event: str, endpoint_id: UUID, row: Record) -> NewMessage:
    key = f"{event}:{endpoint_id}:{row['at'].isoformat()}"
    return NewMessage(row["org_id"], event, _data(endpoint_id, row), key, occurred_at=row["at"])


def _data(endpoint_id: UUID, row: Record) -> dict[str, str]:
    return {
        "endpointId": str(endpoint_id), "url": row["url"], "reason": row["reason"],
        "at": row["at"].isoformat(),
    }  # fmt: skip
