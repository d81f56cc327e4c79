"""What an automatic action is: for people, and for those who take and revert them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import asyncpg
from pydantic import Field

from worker.errors import NotFound
from worker.jobs.paging import ById
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import ActionType
from worker.jobs.views import View


class ActionsQuery(ById):
    """Which automatic actions to list, newest first."""

    action: ActionType | None = None
    active: Annotated[
        bool | None, Field(description="whether it is in force, or waits behind one that is")
    ] = None


class Action(View):
    """An automatic action.

    `changed` is false when what it was to change was so already. `waits`: another action had done
    the same before; this one takes its place when that is reverted. `active`: it is in force, or
    waits. `restoreAt` is when it will be undone by itself.
    """

    id: UUID
    org_id: str
    job_id: UUID
    action: ActionType
    target_id: str
    reason: str
    threshold: dict[str, Any] | None
    active: bool
    changed: bool
    waits: bool
    restore_at: datetime | None
    applied_at: datetime
    reverted_at: datetime | None
    reverted_by: str | None


Status = Literal["applied", "waits", "unchanged", "late", "repeated"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an action when a job was to take it, and what to ring now.

    `applied`; `waits` behind another; `unchanged`: it was so already, by a person; `late`: it was
    over before it could begin; `repeated`: the job had taken it before.
    """

    action: Action
    status: Status
    rings: list[Ring] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reverted:
    """What became of an action that was to be reverted, and what to ring now.

    `reverted`; `passed_on`: another one, `heir`, keeps its target so; `overruled`: a person had
    decided otherwise; `ended`: it was only waiting; `repeated`: it was over already.
    """

    action: Action
    status: Literal["reverted", "passed_on", "overruled", "ended", "repeated"]
    heir: UUID | None = None
    rings: list[Ring] = field(default_factory=list)


class RevertedAction(Action):
    """A reverted action; `heldBy` is another one that has taken its place."""

    held_by: UUID | None

    @classmethod
    def of(cls, reverted: Reverted) -> Self:
        """The action, and what became of its target."""
        return cls(**dict(reverted.action), held_by=reverted.heir)


def shown(row: asyncpg.Record) -> dict[str, Any]:
    """The fields of an Action, from its row."""
    active = (
        row["reverted_at"] is None
        and (row["changed"] or row["waits"])
        and row["action"] != "send_notification"
    )
    return dict(row) | {"active": active}


def missing(org_id: str, action_id: UUID) -> NotFound:
    """The error for an action that an organisation does not have."""
    return NotFound(f"{org_id[:80]!a} has no automatic action {action_id}.")
