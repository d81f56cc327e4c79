"""What automatic actions do, how it is undone, and what is told of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg

from worker.database.pool import Transaction
from worker.errors import PermanentError
from worker.jobs.tenant_payloads import AutoAction, Notification, NotificationType
from worker.outgoing.messages import NewMessage
from worker.tenants import api_keys, flags

# (connection, organisation, target, reason) → whether it changed anything; None: no such target.
Step = Callable[[Transaction, str, str, str], Awaitable[bool | None]]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does to its target, and how people are told.

    `undo` undoes it if it was done for this very reason and nobody has changed it since. `noun` is
    the kind of target, `target_type` that of the audit log, `called` its name in data, `state`
    what it is in afterwards; `done` and `undone` are the events, `type` that of the notification,
    `advice` for whoever finds no target.
    """

    noun: str
    target_type: str
    called: str
    state: str
    do: Step
    undo: Step
    done: str
    undone: str
    type: NotificationType
    advice: str

    def message(self, wanted: AutoAction, action_id: UUID) -> NewMessage:
        """The message that it was done."""
        data = self._data(wanted, action_id)
        return NewMessage(wanted.org_id, self.done, data, f"action:{action_id}")

    def notice(self, wanted: AutoAction, action_id: UUID) -> Notification:
        """The notification that it was done."""
        data, key = self._data(wanted, action_id), f"action:{action_id}"
        return Notification(org_id=wanted.org_id, type=self.type, data=data, key=key)

    def restored(self, action: asyncpg.Record, by: str) -> NewMessage:
        """The message that it was undone."""
        data = {"actionId": str(action["id"]), self.called: action["target_id"], "by": by}
        key = f"action:{action['id']}:undone"
        return NewMessage(action["org_id"], self.undone, data, key)

    def _data(self, wanted: AutoAction, action_id: UUID) -> dict[str, Any]:
        named = {"actionId": str(action_id), self.called: wanted.target_id}
        return named | particulars(wanted)


def particulars(wanted: AutoAction) -> dict[str, Any]:
    """Why an action is taken, and until when, as it stands on the wire."""
    wire = wanted.wire()
    told: dict[str, Any] = wire.get("threshold", {})
    return told | {name: wire[name] for name in ("reason", "restoreAt") if name in wire}


def requested(wanted: AutoAction, action_id: UUID) -> Notification:
    """The notification that an action has sent: the same threshold is told of once."""
    threshold, key = wanted.threshold, f"action:{action_id}"
    if threshold is not None:
        period = f"{threshold.period}:{threshold.period_start.isoformat()}"
        level = f"{threshold.percent}:{threshold.limit}"
        key = f"threshold:{threshold.metric}:{period}:{level}:{wanted.target_id}"
    type_ = cast(NotificationType, wanted.target_id)
    return Notification(org_id=wanted.org_id, type=type_, data=particulars(wanted), key=key)


def key_id_of(target: str) -> UUID | None:
    """The id of an API key, unless the text cannot be one."""
    try:
        return UUID(target)
    except ValueError:
        return None


def canonical(action: str, target: str) -> str:
    """The one way to write a target: API keys' ids may be written in several."""
    key_id = key_id_of(target) if action == "block_api_key" else None
    return target if key_id is None else str(key_id)


def unknown_target(wanted: AutoAction, effect: Effect) -> PermanentError:
    """The error for a target that does not exist, or is another organisation's."""
    problem = f"{wanted.org_id!a} has no {effect.noun} {wanted.target_id!a}"
    return PermanentError(f"{wanted.action}: {problem}. {effect.advice}")


async def _block(connection: Transaction, org_id: str, target: str, reason: str) -> bool | None:
    key_id = key_id_of(target)
    return None if key_id is None else await api_keys.block(connection, org_id, key_id, reason)


async def _unblock(connection: Transaction, org_id: str, target: str, reason: str) -> bool | None:
    key_id = key_id_of(target)
    return None if key_id is None else await api_keys.unblock(connection, org_id, key_id, reason)


EFFECTS: Mapping[str, Effect] = {
    "disable_feature": Effect(
        noun="feature flag", target_type="flag", called="feature", state="disabled",
        do=flags.disable, undo=flags.enable,
        done="feature.disabled", undone="feature.restored", type="feature_disabled",
        advice="Make the flag and retry the job, or discard it and mend the rule that names it.",
    ),
    "block_api_key": Effect(
        noun="API key", target_type="api_key", called="apiKeyId", state="blocked",
        do=_block, undo=_unblock,
        done="api_key.blocked", undone="api_key.restored", type="limit_exceeded",
        advice="Mend the rule that names it, and discard the job.",
    ),
}  # fmt: skip
