"""What was sent to an endpoint, and what came of it: deliveries with all their attempts."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.errors import NotFound
from worker.jobs.ids import first_of
from worker.jobs.names import Time
from worker.jobs.paging import ById, page_of
from worker.jobs.views import Page, View
from worker.outgoing.filters import EventFilter

SQL = queries.load(__file__)
AT_ONCE = 1000
_SLACK = timedelta(seconds=1)
DeliveryState = Literal["pending", "delivered", "failed", "skipped"]


class DeliveryQuery(ById):
    """A page of deliveries, the newest first; `from` and `to` are when the message was made."""

    state: DeliveryState | None = None
    event: EventFilter | None = None
    after: Annotated[Time | None, Field(alias="from")] = None
    before: Annotated[Time | None, Field(alias="to")] = None


class EndpointDelivery(View):
    """A message on its way to an endpoint. `skipped`: the endpoint was disabled before any attempt.

    `messageId` is the `webhook-id` of every request; `attempts` counts those of replays as well.
    """

    endpoint_id: UUID
    message_id: UUID
    event: str
    project_id: UUID | None
    state: DeliveryState
    attempts: int
    job_id: UUID | None
    created_at: datetime
    delivered_at: datetime | None
    updated_at: datetime


class DeliveryAttempt(View):
    """One request. `answer` is the first 4 kB of what came back, read as UTF-8."""

    job_id: UUID
    attempt: int
    started_at: datetime
    duration_ms: int
    status: int | None
    error_class: str | None
    error: str | None
    answer: str | None


class DeliveryWithAttempts(EndpointDelivery):
    """The same with every attempt, the first one first, and the body exactly as it is sent."""

    body: str
    history: list[DeliveryAttempt]


class OutgoingHistory:
    """Deliveries in the record. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, org_id: str, endpoint_id: UUID, wanted: DeliveryQuery
    ) -> Page[EndpointDelivery]:
        """Deliveries to an endpoint, the newest first. Raises NotFound."""
        rows = await fetch(
            self._pool, SQL.page, endpoint_id, wanted.state, wanted.event,
            wanted.after, wanted.before, *id_bounds(wanted.after, wanted.before),
            wanted.cursor, wanted.limit + 1,
        )  # fmt: skip
        await self._check(org_id, endpoint_id)
        found = [EndpointDelivery.model_validate(dict(row)) for row in rows]
        return page_of(found, wanted.limit, lambda delivery: delivery.message_id)

    async def get(self, org_id: str, endpoint_id: UUID, message_id: UUID) -> DeliveryWithAttempts:
        """One delivery. Raises NotFound."""
        await self._check(org_id, endpoint_id)
        rows = await fetch(self._pool, SQL.get, endpoint_id, message_id)
        if not rows:
            raise missing(endpoint_id, message_id)
        attempts = await fetch(self._pool, SQL.attempts, endpoint_id, message_id)
        fields: dict[str, Any] = dict(rows[0]) | {
            "body": rows[0]["body"].decode(),
            "history": [_readable(dict(row)) for row in attempts],
        }
        return DeliveryWithAttempts.model_validate(fields)

    async def forget(self, days: int) -> int:
        """Delete messages so old with their deliveries, unless one is under way; how many."""
        total, gone = 0, AT_ONCE
        while gone == AT_ONCE:
            gone = len(await fetch(self._pool, SQL.forget, days, AT_ONCE))
            total += gone
        return total

    async def _check(self, org_id: str, endpoint_id: UUID) -> None:
        if not await fetch(self._pool, SQL.is_endpoint_of, org_id, endpoint_id):
            raise NotFound(f"There is no endpoint {endpoint_id}.")


def missing(endpoint_id: UUID, message_id: UUID) -> NotFound:
    """The error for a message that was never meant for this endpoint."""
    return NotFound(f"There is no message {message_id} for endpoint {endpoint_id}.")


def id_bounds(after: datetime | None, before: datetime | None) -> tuple[UUID | None, UUID | None]:
    """Between which ids the messages of a time are: at least the first, less than the second."""
    # An id and the time beside it are made in the same breath, and not at the same moment.
    return (
        first_of(after, -_SLACK) if after else None,
        first_of(before, _SLACK) if before else None,
    )


def _readable(attempt: dict[str, Any]) -> dict[str, Any]:
    answer = attempt["answer"]
    return attempt | {"answer": answer and answer.decode("utf-8", "replace")}
