"""Adding a job by hand: what may be asked for, and what becomes of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID

from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, unavailable_as_error
from worker.errors import Forbidden, InvalidInput, NotFound
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.names import KindName, QueueName, Time
from worker.jobs.paging import Wanted
from worker.jobs.payload_base import Name, OrganisationPayload, Payload, ProjectPayload
from worker.jobs.payloads import PAYLOADS, concurrency_key, validate
from worker.jobs.projects import Projects
from worker.jobs.queues import Queue
from worker.jobs.ring import Ring
from worker.jobs.trace import new_traceparent
from worker.jobs.views import View
from worker.metrics import JOBS_ENQUEUED

SQL = queries.load(__file__)
MAX_DELAY_SECONDS = 366 * 86_400
MAX_PRIORITY = 100


class Ringing(Protocol):
    """Rings jobs that were recorded, sooner or later."""

    def ring(self, rings: Sequence[Ring]) -> None:
        """Best effort: what is not rung, a reconciler rings."""


class WantedJob(Wanted, strict=True):
    """A job to add; `kind` is needed where a queue has several.

    It runs at once, after `delay` seconds, or at `runAt`. A job with a `dedupeKey` that another
    job has is not added. Jobs with the same `concurrencyKey` share the queue's limit per key.
    """

    queue: QueueName
    data: dict[str, Any]
    kind: KindName | None = None
    priority: Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY)] = 0
    delay: Annotated[float, Field(ge=0, le=MAX_DELAY_SECONDS)] | None = None
    run_at: Time | None = None
    org_id: Name | None = None
    dedupe_key: Name | None = None
    concurrency_key: Name | None = None


class Enqueued(View):
    """The job that was added, or the one that has had its dedupe key."""

    job_id: UUID
    queue: str
    data: Any
    duplicate: Literal[True] = True


class Enqueueing:
    """Adds jobs by hand. Raises RecordUnavailable when Postgres is away."""

    def __init__(
        self, pool: Pool, ringer: Ringing, queues: Mapping[str, Queue], *, allowed: bool
    ) -> None:
        self._pool, self._ringer, self._queues = pool, ringer, queues
        self._ledger, self._projects = Ledger(pool), Projects(pool)
        self._allowed = allowed

    async def add(self, wanted: WantedJob, traceparent: str | None = None) -> Enqueued:
        """Record the job and ring it; `traceparent` is the caller's.

        Raises Forbidden in production, and InvalidInput naming each wrong field.
        """
        if not self._allowed:
            raise Forbidden("Jobs cannot be added by hand in production.")
        job = await self._planned(wanted, new_traceparent(traceparent))
        while not await self._ledger.add([job]):
            existing = await self._with_key(job.dedupe_key)
            if existing is not None:
                return existing
        JOBS_ENQUEUED.labels(job.queue).inc()
        self._ringer.ring([Ring.of(job)])
        return Enqueued(job_id=job.id, queue=job.queue, data=job.payload)

    async def _planned(self, wanted: WantedJob, traceparent: str) -> NewJob:
        queue = self._queues[wanted.queue]
        kind = chosen_kind(wanted.kind, queue)
        payload = validate(PAYLOADS[kind], wanted.data)
        return NewJob(
            queue=queue.name,
            kind=kind,
            payload=payload.wire(),
            max_attempts=queue.attempts,
            project_id=payload.project_id if isinstance(payload, ProjectPayload) else None,
            org_id=await self._organisation(wanted.org_id, payload),
            priority=wanted.priority,
            dedupe_key=wanted.dedupe_key,
            run_at=await self._due(wanted),
            concurrency_key=wanted.concurrency_key or concurrency_key(payload),
            traceparent=traceparent,
        )

    async def _organisation(self, given: str | None, payload: Payload) -> str | None:
        if isinstance(payload, OrganisationPayload):
            if given not in (None, payload.org_id):
                raise _refused("orgId", "is another one in the data")
            return payload.org_id
        if given is None and isinstance(payload, ProjectPayload):
            return await self._owner(payload.project_id)
        return given

    async def _owner(self, project_id: UUID) -> str | None:
        try:
            return (await self._projects.get(project_id)).org_id
        except NotFound:
            return None  # its handler says so, and the job dies of it

    async def _due(self, wanted: WantedJob) -> datetime | None:
        if wanted.delay is None:
            return wanted.run_at
        if wanted.run_at is not None:
            raise _refused("runAt", "cannot be given together with delay")
        async with unavailable_as_error():
            due: datetime = await self._pool.fetchval(SQL.time_after, wanted.delay)
        return due

    async def _with_key(self, dedupe_key: str | None) -> Enqueued | None:
        async with unavailable_as_error():
            row = await self._pool.fetchrow(SQL.with_dedupe_key, dedupe_key)
        if row is None:
            return None  # it was deleted meanwhile
        return Enqueued(job_id=row["id"], queue=row["queue"], data=row["payload"], duplicate=True)


def chosen_kind(kind: str | None, queue: Queue) -> str:
    """The kind that is meant: the queue's only one when none is named. Raises InvalidInput."""
    if kind is None and len(queue.kinds) == 1:
        return queue.kinds[0]
    if kind not in queue.kinds:
        raise _refused("kind", f"must be one of {', '.join(queue.kinds)}")
    return kind


def _refused(field: str, problem: str) -> InvalidInput:
    return InvalidInput("The job is not valid.", {field: problem})
