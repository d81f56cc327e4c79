"""From a payload to a job of the queue that runs its kind, and jobs as part of a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from worker.database.pool import Transaction
from worker.jobs.ledger import SQL as LEDGER_SQL
from worker.jobs.model import NewJob
from worker.jobs.payload_base import OrganisationPayload, Payload, ProjectPayload
from worker.jobs.payloads import PAYLOADS, concurrency_key
from worker.jobs.queues import Queue
from worker.jobs.ring import Ring
from worker.jobs.rows import add_arguments
from worker.jobs.tenant_payloads import AuditEvent
from worker.jobs.trace import new_traceparent
from worker.metrics import JOBS_ENQUEUED

_KINDS = {model: kind for kind, model in PAYLOADS.items()}


class Planner:
    """Makes jobs by the queues' policies."""

    def __init__(self, queues: Mapping[str, Queue]) -> None:
        self._queues = {kind: queue for queue in queues.values() for kind in queue.kinds}

    def job(
        self,
        payload: Payload,
        dedupe_key: str | None = None,
        *,
        org_id: str | None = None,
        priority: int = 0,
        run_at: datetime | None = None,
        delivery_id: str | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
    ) -> NewJob:
        """A job to be recorded. An organisation that the payload names goes before `org_id`."""
        kind = _KINDS[type(payload)]
        queue = self._queues[kind]
        return NewJob(
            queue=queue.name,
            kind=kind,
            payload=payload.wire(),
            max_attempts=queue.attempts,
            project_id=payload.project_id if isinstance(payload, ProjectPayload) else None,
            org_id=_organisation(payload) or org_id,
            priority=priority,
            dedupe_key=dedupe_key,
            run_at=run_at,
            delivery_id=delivery_id,
            correlation_id=correlation_id,
            concurrency_key=concurrency_key(payload),
            traceparent=new_traceparent(traceparent),
        )


def key_of(what: str, org_id: str, *rest: str) -> str:
    """A dedupe key of an organisation's own: ids may hold colons, and none may make another's."""
    return ":".join((what, quote(org_id, safe=""), *rest))


async def record(connection: Transaction, jobs: Sequence[NewJob]) -> list[Ring]:
    """Record jobs in the caller's transaction; answers what to ring once it is committed.

    A job whose dedupe key is known is left out.
    """
    if not jobs:
        return []
    rows = await connection.fetch(LEDGER_SQL.add, *add_arguments(jobs))
    new: set[UUID] = {row["id"] for row in rows}
    rings = [Ring.of(job) for job in jobs if job.id in new]
    for ring in rings:
        JOBS_ENQUEUED.labels(ring.queue).inc()
    return rings


def _organisation(payload: Payload) -> str | None:
    match payload:
        case OrganisationPayload():
            return payload.org_id
        case AuditEvent():
            return payload.event.org_id
    return None
