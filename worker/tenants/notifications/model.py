"""What a notification is, in the record and for people, and the ways to tell it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from worker.jobs.paging import ById
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import NotificationType
from worker.jobs.views import View

Channel = Literal["email", "webhook"]
NotificationState = Literal["pending", "sent", "failed", "off", "unheard"]


class Notified(View):
    """A notification as it stands.

    `off`: the organisation wants none of this type. `unheard`: there was nobody to tell. `failed`:
    the email could not be sent, `problem` says why. `repeats` counts the times that the same was
    to be told again, and was not.
    """

    id: UUID
    org_id: str
    type: NotificationType
    key: str
    data: dict[str, Any]
    state: NotificationState
    channels: list[Channel]
    email_to: str | None
    email_id: str | None
    problem: str | None
    repeats: int
    job_id: UUID
    created_at: datetime
    sent_at: datetime | None


class NotificationQuery(ById):
    """Which notifications to list, newest first."""

    type: NotificationType | None = None
    state: Annotated[NotificationState | None, Field(description="as it stands")] = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a notification when a job was to tell it.

    `rings` is what to ring now. `is_mine`: this job tells it, and not another one before. `again`:
    an attempt before this one may have sent it.
    """

    notification: Notified
    is_mine: bool
    again: bool = False
    rings: list[Ring] = field(default_factory=list)

    @property
    def needs_email(self) -> bool:
        """Whether an email is still to be sent."""
        return self.is_mine and self.notification.state == "pending"
