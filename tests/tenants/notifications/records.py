"""An organisation to tell, and what it is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Any
from uuid import UUID

from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.jobs.tenant_payloads import Notification
from worker.tenants.notifications.letters import Letter
from worker.tenants.notifications.model import Notified, Told
from worker.tenants.notifications.resend import Resend
from worker.tenants.notifications.store import Notifications
from worker.tenants.organisations import NewOrganisation, Organisation, Organisations

ORG, ADDRESS = "acme", "ops@acme.example"
SENDER = Address("Switchyard", "noreply", "mail.example")
Opening = Callable[..., Resend]
REACHED = {
    "metric": "api_calls", "period": "month", "periodStart": "2026-10-31T23:00:00Z",
    "periodEnd": "2026-11-30T23:00:00Z", "percent": 80, "quantity": 12345, "limit": 15000,
}  # fmt: skip


async def organisation(pool: Pool, email: str | None = ADDRESS, **more: Any) -> Organisation:
    """A new organisation."""
    wanted = {"id": ORG, "name": "Acme", "timezone": "Europe/Warsaw", "email": email} | more
    return await Organisations(pool).add(NewOrganisation(**wanted))


def warning(**more: Any) -> Notification:
    """A warning of the organisation's."""
    given = {"org_id": ORG, "type": "threshold_warning", "data": REACHED} | more
    return Notification.model_validate(given)


async def told(pool: Pool, to: Organisation, job_id: UUID | None = None, **more: Any) -> Told:
    """What came of telling it a warning."""
    return await Notifications(pool).tell(warning(**more), to, job_id or new_id())


def letter(**more: Any) -> Letter:
    """An email to send."""
    given: dict[str, Any] = {
        "id": new_id(), "to": ADDRESS, "written_at": datetime(2026, 11, 22, 7, tzinfo=UTC),
        "subject": "Zażółć", "text": "Plain text.\n", "html": "<p>HTML</p>\n",
    }  # fmt: skip
    return Letter(**given | more)


def notified(**more: Any) -> Notified:
    """A notification as the record has it."""
    given: dict[str, Any] = {
        "id": new_id(), "org_id": ORG, "type": "threshold_warning", "key": "k", "data": REACHED,
        "state": "pending", "channels": ["email"], "email_to": ADDRESS, "email_id": None,
        "problem": None, "repeats": 0, "job_id": new_id(),
        "created_at": datetime(2026, 11, 22, 7, tzinfo=UTC), "sent_at": None,
    }  # fmt: skip
    return Notified.model_construct(**given | more)
