"""The notifications in the record: made once for each key, told by one job, read by people."""

import hashlib
import json
from functools import partial
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.errors import NotFound
from worker.jobs.ids import new_id
from worker.jobs.paging import page_of
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import Notification, NotificationType
from worker.jobs.views import Page
from worker.metrics import NOTIFICATIONS
from worker.outgoing.messages import NewMessage, emit
from worker.tenants.notifications.model import (
    Channel,
    NotificationQuery,
    NotificationState,
    Notified,
    Told,
)
from worker.tenants.notifications.preferences import chosen_channels
from worker.tenants.organisations import Organisation, Organisations

SQL = queries.load(__file__)
_LONGEST_PROBLEM = 500


class Notifications:
    """Makes notifications and says what became of them. Raises RecordUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._organisations = pool, Organisations(pool)

    async def organisation(self, org_id: str) -> Organisation:
        """Whom to tell. Raises NotFound."""
        return await self._organisations.get(org_id)

    async def tell(self, wanted: Notification, to: Organisation, job_id: UUID) -> Told:
        """Make the notification, or find out that it was made.

        Its webhook is on its way when this returns; what Told says is left to do is the caller's.
        """
        told = await atomically(self._pool, partial(_tell, wanted=wanted, to=to, job_id=job_id))
        _count(told)
        return told

    async def sent(self, notification: Notified, email_id: str | None) -> None:
        """The email was handed over; `email_id` is the service's own name for it."""
        if await fetch(self._pool, SQL.sent, notification.id, notification.job_id, email_id):
            NOTIFICATIONS.labels(notification.type, "email", "sent").inc()

    async def failed(self, notification: Notified, problem: str) -> None:
        """The email will not be sent by this job: the next one with its key may try."""
        short = problem[:_LONGEST_PROBLEM]
        if await fetch(self._pool, SQL.failed, notification.id, notification.job_id, short):
            NOTIFICATIONS.labels(notification.type, "email", "failed").inc()

    async def page(self, org_id: str, wanted: NotificationQuery) -> Page[Notified]:
        """An organisation's notifications, newest first. Raises NotFound."""
        await self._organisations.get(org_id)
        rows = await fetch(
            self._pool, SQL.page, org_id, wanted.cursor, wanted.type, wanted.state,
            wanted.limit + 1,
        )  # fmt: skip
        return page_of([_view(row) for row in rows], wanted.limit, lambda n: n.id)

    async def get(self, org_id: str, notification_id: UUID) -> Notified:
        """One of its notifications. Raises NotFound."""
        await self._organisations.get(org_id)
        rows = await fetch(self._pool, SQL.get, org_id, notification_id)
        if not rows:
            raise NotFound(f"{org_id} has no notification {notification_id}.")
        return _view(rows[0])


def key_of(wanted: Notification) -> str:
    """What makes two notifications the same: their key, or all that they say."""
    if wanted.key is not None:
        return wanted.key
    said = json.dumps([wanted.type, wanted.data], sort_keys=True, default=str)
    return f"{wanted.type}:{hashlib.sha256(said.encode()).hexdigest()}"


async def _tell(
    connection: Transaction, wanted: Notification, to: Organisation, job_id: UUID
) -> Told:
    key = key_of(wanted)
    begun = await connection.fetchrow(SQL.take, to.id, key, job_id)
    if begun is not None:
        return Told(_view(begun), is_mine=True, again=True)
    channels = await chosen_channels(connection, to, wanted.type)
    email_to = to.email if "email" in channels else None
    made = await connection.fetchval(
        SQL.make, new_id(), to.id, wanted.type, key, wanted.data, channels, email_to, job_id
    )
    if made is None:
        return await _known(connection, to.id, key, job_id)
    rings = await _post(connection, made, wanted) if "webhook" in channels else []
    state = _state(channels, email_to, is_heard=bool(rings))
    row = await connection.fetchrow(SQL.settle, made, state)
    return Told(_view(row), is_mine=True, rings=rings)


async def _known(connection: Transaction, org_id: str, key: str, job_id: UUID) -> Told:
    await connection.execute(SQL.count_repeat, org_id, key, job_id)
    found = _view(await connection.fetchrow(SQL.with_key, org_id, key))
    return Told(found, is_mine=found.job_id == job_id, again=True)


async def _post(connection: Transaction, id_: UUID, wanted: Notification) -> list[Ring]:
    data = {"id": str(id_), "orgId": wanted.org_id, "type": wanted.type, "data": wanted.data}
    message = NewMessage(wanted.org_id, f"notification.{wanted.type}", data, f"notification:{id_}")
    return await emit(connection, [message])


def _state(channels: list[Channel], email_to: str | None, *, is_heard: bool) -> NotificationState:
    if not channels:
        return "off"
    if email_to is not None:
        return "pending"
    return "sent" if is_heard else "unheard"


def _count(told: Told) -> None:
    kind: NotificationType = told.notification.type
    if not told.is_mine:
        NOTIFICATIONS.labels(kind, "none", "repeated").inc()
    elif told.rings:
        NOTIFICATIONS.labels(kind, "webhook", "sent").inc()
    elif not told.again and told.notification.state in ("off", "unheard"):
        NOTIFICATIONS.labels(kind, "none", told.notification.state).inc()


def _view(row: asyncpg.Record | None) -> Notified:
    assert row is not None
    return Notified(**row)
