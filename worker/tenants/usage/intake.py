"""Taking in batches of usage events: each becomes a job, once for each batch id."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import FailFast, Field

from worker.database.pool import Pool, fetch
from worker.jobs.enqueueing import SQL as JOBS_SQL
from worker.jobs.enqueueing import Ringing
from worker.jobs.ids import made_at
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.names import Time
from worker.jobs.paging import Wanted
from worker.jobs.payload_base import Name
from worker.jobs.planning import Planner, key_of
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import MOST_USAGE_EVENTS, UsageEvent, UsageIngestion
from worker.jobs.views import View
from worker.metrics import JOBS_ENQUEUED
from worker.tenants.organisations import Organisations
from worker.tenants.usage.counting import times_of


class SentEvent(UsageEvent):
    """So much of something was used; without a timestamp now."""

    timestamp: Time | None = None


class SentUsage(Wanted):
    """A batch of usage events. Its id makes it count once, however often it is sent.

    Ids are remembered for 40 days; whatever else is sent under one until then is not counted.
    """

    org_id: Name
    batch_id: Name
    # One wrong event is enough to name: ten thousand would be no answer.
    events: Annotated[
        list[SentEvent], FailFast(), Field(min_length=1, max_length=MOST_USAGE_EVENTS)
    ]


class AcceptedUsage(View):
    """The job that counts the batch, or the one that a batch with this id had before."""

    accepted: Literal[True] = True
    job_id: UUID
    events: int = Field(description="how many there are in what was sent now")
    duplicate: Literal[True] = True


class UsageIntake:
    """Accepts batches. Raises RecordUnavailable when Postgres is away: nothing was accepted."""

    def __init__(self, pool: Pool, planner: Planner, ringer: Ringing) -> None:
        self._pool, self._planner, self._ringer = pool, planner, ringer
        self._ledger, self._organisations = Ledger(pool), Organisations(pool)

    async def accept(self, sent: SentUsage, traceparent: str | None = None) -> AcceptedUsage:
        """Record the job that counts a batch, and ring it; a dead one of the same batch runs again.

        Raises InvalidInput naming an unknown organisation, and times that cannot be.
        """
        await self._organisations.require(sent.org_id)
        job = self._planned(sent, traceparent)
        times_of(sent.events, made_at(job.id))
        while not await self._ledger.add([job]):
            if earlier := await fetch(self._pool, JOBS_SQL.with_dedupe_key, job.dedupe_key):
                await self._revive(earlier[0]["id"])
                return _accepted(earlier[0]["id"], sent, duplicate=True)
        JOBS_ENQUEUED.labels(job.queue).inc()
        self._ringer.ring([Ring.of(job)])
        return _accepted(job.id, sent)

    async def _revive(self, job_id: UUID) -> None:
        self._ringer.ring([Ring.of_row(row) for row in await self._ledger.retry_dead([job_id])])

    def _planned(self, sent: SentUsage, traceparent: str | None) -> NewJob:
        payload = UsageIngestion(org_id=sent.org_id, batch_id=sent.batch_id, events=[*sent.events])
        key = key_of("usage", sent.org_id, sent.batch_id)
        return self._planner.job(payload, key, traceparent=traceparent)


def _accepted(job_id: UUID, sent: SentUsage, **duplicate: Literal[True]) -> AcceptedUsage:
    return AcceptedUsage(accepted=True, job_id=job_id, events=len(sent.events), **duplicate)
