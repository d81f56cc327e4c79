"""Undoing automatic actions: when their time is over, or because somebody asks for it."""

from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.errors import Conflict
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AuditedEvent, Party
from worker.metrics import AUTOMATIC_ACTIONS
from worker.outgoing.messages import emit
from worker.tenants.actions.applying import SQL as APPLYING_SQL
from worker.tenants.actions.effects import EFFECTS, Effect
from worker.tenants.actions.model import Action, Reverted, missing, shown
from worker.tenants.audit import recording

SQL = queries.load(__file__)
AT_ONCE = 500
PERIOD_END = "period end"


async def restore_due(pool: Pool, now: datetime | None = None) -> list[Ring]:
    """Undo what was to last until `now` (None: Postgres's) or a time before, one by one.

    Answers what to ring. What a person has changed since stays as it is; what another action still
    wants so, too. Safe to run twice and at once. Raises RecordUnavailable.
    """
    rings: list[Ring] = []
    while due := await fetch(pool, SQL.due, now, AT_ONCE):
        for org_id, action_id in due:
            reverted = await atomically(
                pool, partial(_end, org_id=org_id, action_id=action_id, now=now)
            )
            AUTOMATIC_ACTIONS.labels(reverted.action.action, reverted.status).inc()
            rings += reverted.rings
    return rings


async def revert(connection: Transaction, org_id: str, action_id: UUID, by: str) -> Reverted:
    """Undo an action before its time; see AutomaticActions.revert."""
    row = await _held(connection, org_id, action_id)
    if row["reverted_at"] is not None:
        return Reverted(Action(**shown(row)), "repeated")
    if not row["changed"] or row["action"] not in EFFECTS:
        raise await _nothing_to_undo(connection, row)
    reverted = await _undo(connection, row, by, None)
    if reverted.status == "overruled":
        effect = EFFECTS[row["action"]]
        raise Conflict(
            f"The {effect.noun} {row['target_id']} is not {effect.state} by this action any more: "
            "it was changed since, and stays as it is."
        )
    return reverted


async def _end(
    connection: Transaction, org_id: str, action_id: UUID, now: datetime | None
) -> Reverted:
    row = await _held(connection, org_id, action_id)
    if row["reverted_at"] is not None:
        return Reverted(Action(**shown(row)), "repeated")
    if not row["changed"]:
        return Reverted(await _over(connection, row, PERIOD_END), "ended")
    return await _undo(connection, row, PERIOD_END, now)


async def _held(connection: Transaction, org_id: str, action_id: UUID) -> asyncpg.Record:
    """The action's row, while nobody else can act on its target."""
    row = await connection.fetchrow(APPLYING_SQL.get, org_id, action_id)
    if row is None:
        raise missing(org_id, action_id)
    await connection.execute(APPLYING_SQL.hold, *_target(row))
    # It may have been reverted while this waited.
    [row] = await connection.fetch(APPLYING_SQL.get, org_id, action_id)
    return row


async def _undo(
    connection: Transaction, row: asyncpg.Record, by: str, now: datetime | None
) -> Reverted:
    effect = EFFECTS[row["action"]]
    undone = await effect.undo(connection, row["org_id"], row["target_id"], row["reason"])
    over = await _over(connection, row, by)
    if not undone:
        return Reverted(over, "overruled")
    heir = await _pass_on(connection, row, effect, now)
    await recording.record(connection, [_audited(over, effect, heir)])
    if heir is not None:
        return Reverted(over, "passed_on", heir)
    return Reverted(over, "reverted", rings=await emit(connection, [effect.restored(row, by)]))


async def _pass_on(
    connection: Transaction, row: asyncpg.Record, effect: Effect, now: datetime | None
) -> UUID | None:
    heir = await connection.fetchrow(SQL.heir, *_target(row), now)
    if heir is None:
        return None
    held = await effect.do(connection, row["org_id"], row["target_id"], heir["reason"])
    await connection.execute(SQL.inherit, heir["id"], bool(held))
    return heir["id"] if held else None


async def _over(connection: Transaction, row: asyncpg.Record, by: str) -> Action:
    [over] = await connection.fetch(SQL.revert, row["id"], by)
    return Action(**shown(over))


async def _nothing_to_undo(connection: Transaction, row: asyncpg.Record) -> Conflict:
    effect = EFFECTS.get(row["action"])
    if effect is None:
        return Conflict("A notification cannot be taken back.")
    target = f"The {effect.noun} {row['target_id']}"
    holder = await connection.fetchval(APPLYING_SQL.holder, *_target(row))
    if row["waits"] and holder:
        return Conflict(f"{target} is {effect.state} by the action {holder}: revert that one.")
    return Conflict(
        f"This action changed nothing: there is nothing to revert. {target} is as it was."
    )


def _audited(over: Action, effect: Effect, heir: UUID | None) -> AuditedEvent:
    name = effect.undone if heir is None else "automatic_action.passed_on"
    target = Party(type=effect.target_type, id=over.target_id)
    metadata = {"actionId": str(over.id), "reason": over.reason, "by": over.reverted_by}
    if heir is not None:
        metadata["heldBy"] = str(heir)
    assert over.reverted_at is not None
    return recording.by_switchyard(
        over.org_id, name, target, f"{over.id}:end", metadata, over.reverted_at
    )


def _target(row: asyncpg.Record) -> tuple[str, str, str]:
    return row["org_id"], row["action"], row["target_id"]
