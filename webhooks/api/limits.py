"""Limits of usage, and the rules of what is done when they are reached."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, query_as
from webhooks.api.routes import Route
from webhooks.auth import authorise
from webhooks.resources import RESOURCES
from worker.jobs.overview import ByName
from worker.jobs.views import Page
from worker.tenants.limits.rules import Limits
from worker.tenants.limits.views import Limit, WantedLimit


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/limits`, by metric and period."""
    return answer(await _limits(request).page(query_as(request, ByName)))


async def get(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/limits/{metric}/{period}`."""
    return answer(await _limits(request).get(*_place(request)))


async def put(request: web.Request) -> web.Response:
    """`PUT /api/orgs/{id}/limits/{metric}/{period}`: this limit with these rules and no others."""
    wanted = await body_as(request, WantedLimit)
    resources = request.app[RESOURCES]
    limit, rings = await _limits(request).put(*_place(request), wanted, resources.planner)
    resources.ringer.ring(rings)
    return answer(limit)


async def delete(request: web.Request) -> web.Response:
    """`DELETE /api/orgs/{id}/limits/{metric}/{period}`: the limit as it was."""
    return answer(await _limits(request).delete(*_place(request)))


def _limits(request: web.Request) -> Limits:
    org_id = request.match_info["id"]
    authorise(request, org_id)
    return Limits(request.app[RESOURCES].pool, org_id)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["metric"], request.match_info["period"]


_LIMITS = "/api/orgs/{id}/limits"
_LIMIT = f"{_LIMITS}/{{metric}}/{{period}}"
ROUTES = (
    Route("GET", _LIMITS, page, "An organisation's limits", Page[Limit], query=ByName,
          open_to_keys=True),
    Route("GET", _LIMIT, get, "A limit with its rules", Limit, open_to_keys=True),
    Route("PUT", _LIMIT, put, "Set a limit and its rules", Limit, body=WantedLimit,
          audit="limit.set"),
    Route("DELETE", _LIMIT, delete, "Delete a limit", Limit, audit="limit.deleted"),
)  # fmt: skip
