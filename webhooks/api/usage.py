"""Usage: sending it in, and reading what was counted."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, query_as
from webhooks.api.routes import Parameter, Route
from webhooks.auth import authorise
from webhooks.resources import RESOURCES
from worker.jobs.views import Page
from worker.tenants.usage.intake import AcceptedUsage, SentUsage, UsageIntake
from worker.tenants.usage.reading import (
    CurrentQuery,
    CurrentUsage,
    SummaryQuery,
    Threshold,
    ThresholdQuery,
    Usage,
    UsageQuery,
    UsageReading,
    UsageSummary,
)

_TRACEPARENT = Parameter("traceparent", "the W3C trace that the batch belongs to")


async def send(request: web.Request) -> web.Response:
    """`POST /api/usage`: 202 `{accepted, jobId, events}` once the batch is in the record."""
    sent = await body_as(request, SentUsage)
    authorise(request, sent.org_id)
    resources = request.app[RESOURCES]
    intake = UsageIntake(resources.pool, resources.planner, resources.ringer)
    return answer(await intake.accept(sent, request.headers.get("traceparent")), 202)


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/usage?metric&period&from&to`, open and closed periods alike."""
    return answer(await _reading(request).page(_owner(request), query_as(request, UsageQuery)))


async def current(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/usage/current`: the hour, day and month of now, beside their limits."""
    return answer(await _reading(request).current(_owner(request), query_as(request, CurrentQuery)))


async def thresholds(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/usage/thresholds?metric`: what was reached, newest first."""
    wanted = query_as(request, ThresholdQuery)
    return answer(await _reading(request).thresholds(_owner(request), wanted))


async def summaries(request: web.Request) -> web.Response:
    """`GET /api/usage/summaries?period&metric&from&to`: all organisations together."""
    return answer(await _reading(request).summaries(query_as(request, SummaryQuery)))


def _reading(request: web.Request) -> UsageReading:
    return UsageReading(request.app[RESOURCES].pool)


def _owner(request: web.Request) -> str:
    org_id = request.match_info["id"]
    authorise(request, org_id)
    return org_id


ROUTES = (
    Route("POST", "/api/usage", send, "Send a batch of usage events", AcceptedUsage,
          body=SentUsage, status=202, headers=(_TRACEPARENT,), open_to_keys=True, limit="usage"),
    Route("GET", "/api/usage/summaries", summaries, "Usage of all organisations",
          Page[UsageSummary], query=SummaryQuery),
    Route("GET", "/api/orgs/{id}/usage", page, "Usage of an organisation by period", Page[Usage],
          query=UsageQuery, open_to_keys=True),
    Route("GET", "/api/orgs/{id}/usage/current", current, "Usage in the periods of now",
          Page[CurrentUsage], query=CurrentQuery, open_to_keys=True),
    Route("GET", "/api/orgs/{id}/usage/thresholds", thresholds, "Thresholds that were reached",
          Page[Threshold], query=ThresholdQuery, open_to_keys=True),
)  # fmt: skip
