"""The audit log: what organisations and Switchyard itself did, sent, read and exported."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import structlog
from aiohttp import web

from webhooks.api.requests import answer, body_as, query_as
from webhooks.api.routes import Route
from webhooks.auth import authorise
from webhooks.resources import RESOURCES
from worker.database.pool import describe
from worker.jobs.views import Page
from worker.tenants.audit.intake import AcceptedEvents, AuditIntake, SubmittedEvents
from worker.tenants.audit.reading import AuditFilter, AuditPage, AuditReader, RecordedEvent
from worker.tenants.organisations import Organisations

log = structlog.get_logger(__name__)
NDJSON = "application/x-ndjson"


async def submit(request: web.Request) -> web.Response:
    """`POST /api/orgs/{id}/audit`: 202 once a job for each new event is committed."""
    resources, org_id = request.app[RESOURCES], request.match_info["id"]
    authorise(request, org_id)
    sent = await body_as(request, SubmittedEvents)
    await Organisations(resources.pool).get(org_id)
    intake = AuditIntake(resources.pool, resources.planner)
    accepted, rings = await intake.accept(org_id, sent, datetime.now(UTC))
    resources.ringer.ring(rings)
    return answer(accepted, status=202)


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/audit`, the latest first, filtered by what the query names."""
    wanted, org_id = query_as(request, AuditPage), await _organisation(request)
    return answer(await _reader(request).page(org_id, wanted))


async def installation(request: web.Request) -> web.Response:
    """`GET /api/audit/events`: the same for what belongs to no organisation."""
    return answer(await _reader(request).page(None, query_as(request, AuditPage)))


async def export(request: web.Request) -> web.StreamResponse:
    """`GET /api/orgs/{id}/audit/export`: NDJSON, the oldest first.

    An export that cannot be finished ends without the last chunk, so that nobody takes it for all.
    """
    wanted, org_id = query_as(request, AuditFilter), await _organisation(request)
    async with aclosing(_reader(request).export(org_id, wanted)) as lines:
        # Before anything is sent, so that a record which is away is still told in the usual way.
        first = await anext(lines, b"")
        response = web.StreamResponse(headers={"Content-Type": NDJSON})
        await response.prepare(request)
        await response.write(first)
        await _send(request, response, lines)
    await response.write_eof()
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, lines: AsyncIterator[bytes]
) -> None:
    try:
        async for part in lines:
            await response.write(part)
    except ConnectionError:
        raise  # the client is gone
    except Exception as error:  # whatever it is, it is too late for another status
        log.warning("audit.export_cut", error=describe(error))
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the export was cut") from error


async def _organisation(request: web.Request) -> str:
    organisation = await Organisations(request.app[RESOURCES].pool).get(request.match_info["id"])
    return organisation.id


def _reader(request: web.Request) -> AuditReader:
    return AuditReader(request.app[RESOURCES].pool)


_PATH = "/api/orgs/{id}/audit"
ROUTES = (
    Route("POST", _PATH, submit, "Have events recorded in the audit log", AcceptedEvents,
          body=SubmittedEvents, status=202, open_to_keys=True, limit="usage"),
    Route("GET", _PATH, page, "The audit log of an organisation, the latest first",
          Page[RecordedEvent], query=AuditPage),
    Route("GET", f"{_PATH}/export", export, "The audit log of an organisation as NDJSON, the oldest"
          " first", query=AuditFilter, media_type=NDJSON),
    Route("GET", "/api/audit/events", installation, "The audit log of what belongs to no"
          " organisation, the latest first", Page[RecordedEvent], query=AuditPage),
)  # fmt: skip
