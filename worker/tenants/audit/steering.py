"""What people do to Switchyard itself, in the audit log before they hear that it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, describe, fetch, plain
from worker.errors import NotAudited, RecordUnavailable
from worker.jobs.ids import new_id
from worker.jobs.tenant_payloads import AuditedEvent, Party
from worker.tenants.audit.recording import cut, record

SQL = queries.load(__file__)

# What of an answer says what was done. Never a field that can hold a secret.
TOLD = frozenset(
    {
        "queue", "kind", "duplicate", "cancel_requested", "cancel_reason", "retried", "discarded",
        "paused_reason", "override", "cron", "timezone", "enabled", "repository", "repo_url",
        "plan", "on_push", "trusted_senders", "network", "prepare", "host", "resealed", "name",
        "email", "prefix", "expires_at", "state", "action", "target_id", "reason", "changed",
        "events", "schedule", "disabled_reason", "previous_until", "quantity", "rules",
        "threshold_warning", "limit_exceeded", "feature_disabled", "endpoint_disabled",
    }
)  # fmt: skip
_IDS = ("id", "job_id", "name")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Action:
    """Something that somebody does: `name` is as in the log, `context` from where it is done.

    Without a target it is what the answer names; without an organisation that of the target.
    """

    name: str
    actor: Party
    context: Mapping[str, Any]
    target: Party | None = None
    org_id: str | None = None


class Auditing:
    """Records actions, one at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def owner(self, org_id: str | None, target: Party | None) -> str | None:
        """The organisation, if it is known, or that of a job or project. Raises RecordUnavailable.

        To be asked before the action: a job that was deleted has no owner any more.
        """
        given, named = org_id and plain(org_id), _uuid(target.id) if target else None
        if given is None and named is None:
            return None
        rows = await fetch(self._pool, SQL.owner, given, named)
        return rows[0]["id"] if rows else None

    async def done(self, action: Action, answer: object, now: datetime) -> None:
        """Record an action that was done, and what came of it. Raises NotAudited."""
        try:
            event = await self._event(action, answer, now)

            async def work(connection: Transaction) -> None:
                await record(connection, [event])

            await atomically(self._pool, work)
        except (RecordUnavailable, asyncpg.PostgresError) as error:
            raise NotAudited(
                f"It was done ({action.name}), but the audit log could not be told:"
                f" {describe(error)}"
            ) from error

    async def _event(self, action: Action, answer: object, now: datetime) -> AuditedEvent:
        target = action.target or _named(action.name, answer)
        return AuditedEvent(
            id=str(new_id()),
            org_id=action.org_id or await self._organisation(target, answer),
            action=action.name,
            actor=action.actor,
            target=target,
            occurred_at=now,
            context=dict(action.context),
            metadata=_told(answer),
        )

    async def _organisation(self, target: Party, answer: object) -> str | None:
        if target.type == "organisation":
            return target.id
        project = getattr(answer, "project_id", None)
        about = party("project", project) if project else target
        return await self.owner(getattr(answer, "org_id", None), about)


def party(kind: str, name: object) -> Party:
    """Somebody or something; a name that is too long is cut."""
    return Party(type=kind, id=printable(name) or None)


def printable(value: object) -> str:
    """Whatever a caller sent, as text that can be stored, shown and bounded."""
    return "".join(c if c.isprintable() else "?" for c in plain(str(value))[:_LONGEST])


def _named(action: str, answer: object) -> Party:
    found = (getattr(answer, name, None) for name in _IDS)
    return party(action.partition(".")[0], next((value for value in found if value), ""))


def _told(answer: object) -> dict[str, Any]:
    if not isinstance(answer, BaseModel):
        return {}
    told = answer.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_unset=True, include=set(TOLD)
    )
    return {name: cut(value) for name, value in told.items()}


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
