"""Audit events that an organisation sends: checked, and a job each before anybody is answered."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from worker.database.pool import Pool, atomically, encode_json
from worker.errors import InvalidInput
from worker.jobs.model import NewJob
from worker.jobs.names import Time
from worker.jobs.paging import Wanted
from worker.jobs.planning import Planner, key_of, record
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AuditedEvent, AuditEvent, Deed
from worker.jobs.views import View

MOST_EVENTS = 1000
LARGEST_DETAILS = 4096
# So far may a sender's clock be ahead of ours.
CLOCKS_APART = timedelta(minutes=5)


def _bounded(details: dict[str, Any]) -> dict[str, Any]:
    if len(encode_json(details).encode()) > LARGEST_DETAILS:
        raise PydanticCustomError(
            "too_large", "must be at most {most} bytes of JSON", {"most": LARGEST_DETAILS}
        )
    return details


Details = Annotated[dict[str, Any], AfterValidator(_bounded)]


class SubmittedEvent(Deed):
    """What somebody did in an organisation, as it tells it; known by its `id`."""

    occurred_at: Time
    context: Details = Field(default_factory=dict)
    metadata: Details = Field(default_factory=dict)


class SubmittedEvents(Wanted):
    """Events to record."""

    events: Annotated[list[SubmittedEvent], Field(min_length=1, max_length=MOST_EVENTS)]


class AcceptedEvents(View):
    """How many will be recorded, and how many are left out because their ids were sent before."""

    accepted: int
    duplicates: int


class AuditIntake:
    """Accepts events. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool, planner: Planner) -> None:
        self._pool, self._planner = pool, planner

    async def accept(
        self, org_id: str, sent: SubmittedEvents, now: datetime
    ) -> tuple[AcceptedEvents, list[Ring]]:
        """Have the events recorded, whatever happens from here on; answers what to ring.

        Raises InvalidInput naming each event that is from the future.
        """
        _check_times(sent.events, now)
        jobs = [self._job(org_id, event) for event in sent.events]
        rings = await atomically(self._pool, lambda connection: record(connection, jobs))
        return AcceptedEvents(accepted=len(rings), duplicates=len(jobs) - len(rings)), rings

    def _job(self, org_id: str, event: SubmittedEvent) -> NewJob:
        audited = AuditedEvent(org_id=org_id, **vars(event))
        return self._planner.job(AuditEvent(event=audited), key_of("audit", org_id, event.id))


def _check_times(events: Sequence[SubmittedEvent], now: datetime) -> None:
    latest = now + CLOCKS_APART
    early = {
        f"events.{n}.occurredAt": "is in the future"
        for n, event in enumerate(events)
        if event.occurred_at > latest
    }
    if early:
        raise InvalidInput("The request is not valid.", early)
