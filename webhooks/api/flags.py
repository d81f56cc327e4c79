"""Feature flags of an organisation: switching them, and asking whether a feature may be used."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.overview import ByName
from worker.jobs.views import Page
from worker.tenants.flags import Evaluation, Flag, Flags, WantedFlag


async def put(request: web.Request) -> web.Response:
    """`PUT /api/orgs/{id}/flags/{key}`: makes it, or switches it by hand."""
    wanted = await body_as(request, WantedFlag)
    return answer(await _flags(request).put(request.match_info["key"], wanted))


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/flags`, by key."""
    return answer(await _flags(request).page(query_as(request, ByName)))


async def evaluate(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/flags/{key}`: whether the feature may be used, and if not, why."""
    return answer(await _flags(request).evaluate(request.match_info["key"]))


async def delete(request: web.Request) -> web.Response:
    """`DELETE /api/orgs/{id}/flags/{key}`: the flag as it was."""
    return answer(await _flags(request).delete(request.match_info["key"]))


def _flags(request: web.Request) -> Flags:
    return Flags(request.app[RESOURCES].pool, request.match_info["id"])


_LIST, _ONE = "/api/orgs/{id}/flags", "/api/orgs/{id}/flags/{key}"
ROUTES = (
    Route("GET", _LIST, page, "An organisation's feature flags, by key", Page[Flag],
          query=ByName),
    Route("GET", _ONE, evaluate, "Whether a feature may be used", Evaluation,
          open_to_keys=True, limit="checks"),
    Route("PUT", _ONE, put, "Make or switch a feature flag", Flag, body=WantedFlag,
          audit="flag.changed"),
    Route("DELETE", _ONE, delete, "Forget a feature flag", Flag, audit="flag.deleted"),
)  # fmt: skip
