"""The payloads of jobs about organisations: what they used, did, are told and are sent."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from worker.jobs.payload_base import Name, OrganisationPayload, Payload, Text

PeriodKind = Literal["hour", "day", "month"]
NotificationType = Literal[
    "threshold_warning", "limit_exceeded", "feature_disabled", "endpoint_disabled"
]
ActionType = Literal["disable_feature", "block_api_key", "send_notification"]
Metric = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_.:-]{0,99}$")]
MOST_USAGE_EVENTS = 10_000
LARGEST_QUANTITY = 1_000_000_000


class UsageEvent(Payload):
    """So much of something was used; without a timestamp when the batch was accepted."""

    metric: Metric
    quantity: Annotated[int, Field(strict=True, ge=0, le=LARGEST_QUANTITY)] = 1
    timestamp: AwareDatetime | None = None


class Party(Payload):
    """Who did something, or what it was done to."""

    type: Name
    id: Name | None = None


class Deed(Payload):
    """What somebody did. The same id a second time changes nothing."""

    id: Name
    action: Name
    actor: Party
    target: Party | None = None
    occurred_at: AwareDatetime
    context: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)


class AuditedEvent(Deed):
    """The same with the organisation that it belongs to; none: the whole installation."""

    org_id: Name | None = None


class ReachedThreshold(Payload):
    """That usage in a period went past so many percent of its limit."""

    metric: Metric
    period: PeriodKind
    period_start: AwareDatetime
    period_end: AwareDatetime
    percent: int
    quantity: int
    limit: int


class WebhookDelivery(OrganisationPayload):
    """Send one stored message to one endpoint."""

    endpoint_id: UUID
    message_id: UUID


class EndpointProbe(Payload):
    """See whether an endpoint that was disabled because it failed works again."""

    endpoint_id: UUID


class AuditEvent(Payload):
    """Record what somebody did."""

    event: AuditedEvent


class UsageIngestion(OrganisationPayload):
    """Count a batch of usage events, once for each batch id."""

    events: Annotated[list[UsageEvent], Field(min_length=1, max_length=MOST_USAGE_EVENTS)]
    batch_id: Name


class Notification(OrganisationPayload):
    """Tell an organisation something, by the ways it chose; what has the same key only once."""

    type: NotificationType
    data: dict[str, Any]
    key: Name | None = None


class AutoAction(OrganisationPayload):
    """Act on an organisation's behalf by its own rules.

    `target_id` is a flag's key, an API key's id, or the type of a notification. `restore_at` is
    when to undo it, if nobody does it before.
    """

    action: ActionType
    target_id: Name
    reason: Text
    threshold: ReachedThreshold | None = None
    restore_at: AwareDatetime | None = None
