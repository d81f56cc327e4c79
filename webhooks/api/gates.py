"""Gates: a repository's own checks, how they are run, and their verdicts."""

from uuid import UUID

from aiohttp import web

from webhooks.api.requests import (
    answer,
    body_as,
    optional_body_as,
    path_id,
    path_uuid,
    query_as,
)
from webhooks.api.routes import Parameter, Route
from webhooks.resources import RESOURCES
from worker.jobs.enqueueing import Enqueued
from worker.jobs.gate_views import (
    Approval,
    Gate,
    GateQuery,
    GateSettings,
    GateWithLog,
    NewGateSettings,
    WantedGate,
)
from worker.jobs.gates import Gates
from worker.jobs.views import Page


async def page(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/gates`, newest first, filtered by what the query names."""
    return answer(await _gates(request).page(path_id(request), query_as(request, GateQuery)))


async def evaluate(request: web.Request) -> web.Response:
    """`POST /api/projects/{id}/gates`: 202 with the job. Naming a commit approves it."""
    wanted, project_id = await body_as(request, WantedGate), path_id(request)
    made = await _gates(request).evaluate(project_id, wanted, traceparent=_traceparent(request))
    return answer(made, status=202)


async def get(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/gates/{jobId}`, with its diagnostics and its log."""
    return answer(await _gates(request).get(path_id(request), _job_id(request)))


async def approve(request: web.Request) -> web.Response:
    """`POST /api/projects/{id}/gates/{jobId}/approve`: 202 with the job that runs it."""
    approval = await optional_body_as(request, Approval)
    project_id, job_id = path_id(request), _job_id(request)
    made = await _gates(request).approve(project_id, job_id, approval, _traceparent(request))
    return answer(made, status=202)


async def settings(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}/gates/settings`: the defaults as long as nothing was set."""
    return answer(await _gates(request).settings(path_id(request)))


async def set_settings(request: web.Request) -> web.Response:
    """`PUT /api/projects/{id}/gates/settings`: sets all of it; what is left out is the default."""
    wanted = await body_as(request, NewGateSettings)
    return answer(await _gates(request).set(path_id(request), wanted))


def _gates(request: web.Request) -> Gates:
    return request.app[RESOURCES].steering.gates


def _job_id(request: web.Request) -> UUID:
    return path_uuid(request, "jobId")


def _traceparent(request: web.Request) -> str | None:
    return request.headers.get("traceparent")


_PATH = "/api/projects/{id}/gates"
_TRACEPARENT = Parameter("traceparent", "the W3C trace that the job belongs to")
ROUTES = (
    Route("GET", _PATH, page, "Gate evaluations, newest first", Page[Gate], query=GateQuery),
    Route("POST", _PATH, evaluate, "Evaluate a gate", Enqueued, body=WantedGate, status=202,
          audit="gate.evaluated", headers=(_TRACEPARENT,),
          errors={409: "nothing was scanned there yet"}),
    Route("GET", f"{_PATH}/settings", settings, "How gates are run", GateSettings),
    Route("PUT", f"{_PATH}/settings", set_settings, "Set how gates are run", GateSettings,
          body=NewGateSettings, audit="gate_settings.changed"),
    Route("GET", f"{_PATH}/{{jobId}}", get, "A gate evaluation with its log", GateWithLog),
    Route("POST", f"{_PATH}/{{jobId}}/approve", approve, "Approve what waits for it", Enqueued,
          body=Approval, status=202, audit="gate.approved", headers=(_TRACEPARENT,),
          errors={409: "it waits for no approval"}),
)  # fmt: skip
