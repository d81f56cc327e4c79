"""Taking an automatic action, in one transaction with all that tells of it."""

from collections.abc import Callable, Sequence
from typing import get_args
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Transaction
from worker.errors import PermanentError
from worker.jobs.ids import new_id
from worker.jobs.model import NewJob
from worker.jobs.planning import key_of, record
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import (
    AuditedEvent,
    AutoAction,
    Notification,
    NotificationType,
    Party,
)
from worker.outgoing.messages import emit
from worker.tenants.actions.effects import (
    EFFECTS,
    canonical,
    particulars,
    requested,
    unknown_target,
)
from worker.tenants.actions.model import Action, Applied, Status, shown
from worker.tenants.audit import recording

SQL = queries.load(__file__)
TOO_LATE = "; left as it was, since it was to end before it could begin"

# From a notification and its dedupe key to the job that is to be recorded.
Plan = Callable[[Notification, str], NewJob]


async def apply(connection: Transaction, job_id: UUID, wanted: AutoAction, plan: Plan) -> Applied:
    """Take the action, unless the job has done so. Raises PermanentError for an unknown target."""
    target_id = canonical(wanted.action, wanted.target_id)
    wanted = wanted.model_copy(update={"target_id": target_id})
    await connection.execute(SQL.hold, wanted.org_id, wanted.action, wanted.target_id)
    threshold = wanted.threshold and wanted.threshold.wire()
    begun = await connection.fetchrow(
        SQL.begin, new_id(), wanted.org_id, job_id, wanted.action, wanted.target_id,
        wanted.reason, threshold, wanted.restore_at,
    )  # fmt: skip
    if begun is None:
        [row] = await connection.fetch(SQL.of_job, job_id)
        return Applied(Action(**shown(row)), "repeated")
    if wanted.action == "send_notification":
        return await _notify(connection, begun, wanted, plan)
    return await _act(connection, begun, wanted, plan)


async def _notify(
    connection: Transaction, begun: asyncpg.Record, wanted: AutoAction, plan: Plan
) -> Applied:
    known = get_args(NotificationType)
    if wanted.target_id not in known:
        raise PermanentError(
            f"send_notification: no notification has the type {wanted.target_id!a}; there "
            f"are {', '.join(known)}. Mend the rule that names it, and discard the job."
        )
    rings = await _tell(connection, requested(wanted, begun["id"]), plan)
    return await _settled(connection, begun, wanted, "applied", rings)


async def _act(
    connection: Transaction, begun: asyncpg.Record, wanted: AutoAction, plan: Plan
) -> Applied:
    effect = EFFECTS[wanted.action]
    if begun["late"]:
        return await _settled(connection, begun, wanted, "late")
    changed = await effect.do(connection, wanted.org_id, wanted.target_id, wanted.reason)
    if changed is None:
        raise unknown_target(wanted, effect)
    target = (wanted.org_id, wanted.action, wanted.target_id)
    if not changed:
        holder = await connection.fetchval(SQL.holder, *target)
        return await _settled(connection, begun, wanted, "waits" if holder else "unchanged")
    await connection.execute(SQL.overrule, *target, begun["id"])
    rings = await emit(connection, [effect.message(wanted, begun["id"])])
    rings += await _tell(connection, effect.notice(wanted, begun["id"]), plan)
    return await _settled(connection, begun, wanted, "applied", rings)


async def _tell(connection: Transaction, notification: Notification, plan: Plan) -> list[Ring]:
    assert notification.key is not None
    key = key_of("notification", notification.org_id, notification.key)
    return await record(connection, [plan(notification, key)])


async def _settled(
    connection: Transaction,
    begun: asyncpg.Record,
    wanted: AutoAction,
    status: Status,
    rings: Sequence[Ring] = (),
) -> Applied:
    reason = f"{wanted.reason}{TOO_LATE}" if status == "late" else wanted.reason
    [row] = await connection.fetch(
        SQL.settle, begun["id"], status == "applied", status == "waits", reason
    )
    await recording.record(connection, [_audited(row, wanted, status)])
    return Applied(Action(**shown(row)), status, list(rings))


def _audited(row: asyncpg.Record, wanted: AutoAction, status: Status) -> AuditedEvent:
    name, target_type = _audited_as(wanted.action)
    if status != "applied":
        name = "automatic_action.skipped"
    metadata = particulars(wanted) | {"actionId": str(row["id"]), "status": status}
    target = Party(type=target_type, id=wanted.target_id)
    return recording.by_switchyard(
        wanted.org_id, name, target, str(row["id"]), metadata, row["applied_at"]
    )


def _audited_as(action: str) -> tuple[str, str]:
    effect = EFFECTS.get(action)
    return (
        (effect.done, effect.target_type) if effect else ("notification.requested", "notification")
    )
