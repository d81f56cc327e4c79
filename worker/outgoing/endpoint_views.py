"""What callers send to steer endpoints, and what they see of them: never a stored secret."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from worker.jobs.paging import Wanted
from worker.jobs.views import View
from worker.outgoing.filters import EVERYTHING, EventFilters

ScheduleName = Annotated[
    Literal["short", "long"],
    Field(description="retries after 1, 2, 4, 8, 16 s, or after 5 s, 5 min, 30 min, 2 h, 5 h"),
]
Description = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
# How long it must be is for the key in it to say.
Secret = Annotated[str, Field(max_length=200, description="`whsec_` and base64 of 24 to 64 bytes")]


class NewEndpoint(Wanted, strict=True):
    """Where to send messages; without a `secret` one is made."""

    url: str
    events: EventFilters = Field(default=[EVERYTHING])
    description: Description = ""
    schedule: ScheduleName = "short"
    secret: Secret | None = None


class EndpointChange(Wanted, strict=True):
    """What to change of an endpoint."""

    url: str | None = None
    events: EventFilters | None = None
    description: Description | None = None
    schedule: ScheduleName | None = None

    @field_validator("*")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "cannot be removed")
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> "EndpointChange":
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "give at least one thing to change")
        return self


class Rotation(Wanted, strict=True):
    """The next secret; without one it is made."""

    secret: Secret | None = None


class LastDelivery(View):
    """The newest message for an endpoint, and what came of it."""

    message_id: UUID
    event: str
    state: str
    attempts: int
    updated_at: datetime


class Endpoint(View):
    """Where messages go, and how it fares.

    `failures` counts the deliveries in a row that failed. While the `breaker` is `open` nothing is
    sent until `openUntil`; then one delivery at a time tries (`probing`).
    """

    id: UUID
    org_id: str
    url: str
    description: str
    events: list[str]
    schedule: str
    state: Literal["enabled", "disabled"]
    disabled_reason: Literal["asked", "gone", "failing"] | None
    disabled_at: datetime | None
    failures: int
    failing_since: datetime | None
    breaker: Literal["closed", "open", "probing"]
    open_until: datetime | None
    slow_until: datetime | None
    probe_at: datetime | None
    previous_until: datetime | None
    last_delivery: LastDelivery | None
    created_at: datetime
    updated_at: datetime


class EndpointWithSecret(Endpoint):
    """The same with its secret, which is shown this once."""

    secret: str

    @classmethod
    def of(cls, endpoint: Endpoint, secret: str) -> "EndpointWithSecret":
        """The endpoint together with what signs its messages."""
        fields: dict[str, Any] = dict(endpoint)
        return cls(**fields, secret=secret)


class TestSent(View):
    """The message that was sent for a test; its delivery tells what came of it."""

    # Pytest would take it for a test of its own.
    __test__ = False

    message_id: UUID
