"""Jobs: adding them by hand, and reading them."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from webhooks.api.requests import Query, answer, body_as, page_of, path_id
from webhooks.github.strict_json import quoted
from webhooks.resources import RESOURCES
from worker.errors import Forbidden, InvalidInput
from worker.jobs.model import NewJob
from worker.jobs.payloads import (
    PAYLOADS,
    OrganisationPayload,
    Payload,
    ProjectPayload,
    validate,
)
from worker.jobs.queues import Queue
from worker.jobs.ring import Ring
from worker.jobs.states import State
from worker.metrics import JOBS_ENQUEUED

_FILTERS = ("queue", "state", "projectId", "deliveryId", "kind")


class Wanted(BaseModel):
    """The body of `POST /api/jobs/enqueue`; `kind` is needed where a queue has several."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queue: str
    data: dict[str, Any]
    kind: str | None = None


async def enqueue(request: web.Request) -> web.Response:
    """`POST /api/jobs/enqueue`: 200 `{jobId, queue, data}`. Forbidden in production."""
    resources = request.app[RESOURCES]
    if resources.settings.is_production:
        raise Forbidden("Jobs cannot be added by hand in production.")
    wanted = await body_as(request, Wanted)
    queue = _queue(wanted.queue, resources.queues)
    kind = _kind(wanted.kind, queue)
    job = _new_job(queue, kind, validate(PAYLOADS[kind], wanted.data))
    await resources.ledger.add([job])
    JOBS_ENQUEUED.labels(queue.name).inc()
    resources.ringer.ring([Ring.of(job)])
    return answer({"jobId": job.id, "queue": job.queue, "data": job.payload})


async def page(request: web.Request) -> web.Response:
    """`GET /api/jobs`, newest first, filtered by what the query names."""
    resources, query = request.app[RESOURCES], Query(request, _FILTERS)
    jobs = await resources.jobs.page(
        queue=query.one_of("queue", resources.queues),
        state=query.one_of("state", list(State)),
        project_id=query.uuid("projectId"),
        delivery_id=query.text("deliveryId"),
        kind=query.one_of("kind", PAYLOADS),
        before=query.cursor_id,
        limit=query.limit + 1,
    )
    return page_of(jobs, query.limit)


async def get(request: web.Request) -> web.Response:
    """`GET /api/jobs/{id}`, with its attempts."""
    return answer(await request.app[RESOURCES].jobs.get(path_id(request)))


def _queue(name: str, queues: Mapping[str, Queue]) -> Queue:
    if name not in queues:
        known = ", ".join(queues)
        raise InvalidInput(
            f"There is no queue {quoted(name)}.", {"queue": f"must be one of {known}"}
        )
    return queues[name]


def _kind(kind: str | None, queue: Queue) -> str:
    if kind is None and len(queue.kinds) == 1:
        return queue.kinds[0]
    if kind not in queue.kinds:
        problem = f"must be one of {', '.join(queue.kinds)}"
        raise InvalidInput(f"The queue {queue.name} needs a kind of its own.", {"kind": problem})
    return kind


def _new_job(queue: Queue, kind: str, payload: Payload) -> NewJob:
    return NewJob(
        queue=queue.name,
        kind=kind,
        payload=payload.wire(),
        max_attempts=queue.attempts,
        project_id=payload.project_id if isinstance(payload, ProjectPayload) else None,
        org_id=payload.org_id if isinstance(payload, OrganisationPayload) else None,
    )
