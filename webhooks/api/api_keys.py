"""The API keys of organisations: making, revoking and unblocking them, and checking one."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, path_uuid, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.paging import ById
from worker.jobs.views import Page
from worker.tenants.api_keys import (
    ApiKey,
    ApiKeys,
    KeyCheck,
    MadeApiKey,
    NewApiKey,
    WantedCheck,
    checked,
)


async def make(request: web.Request) -> web.Response:
    """`POST /api/orgs/{id}/keys`: 201 with the key, which is never shown again."""
    wanted = await body_as(request, NewApiKey)
    return answer(await _keys(request).make(wanted), status=201)


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/keys`, in the order they were made."""
    return answer(await _keys(request).page(query_as(request, ById)))


async def revoke(request: web.Request) -> web.Response:
    """`DELETE /api/orgs/{id}/keys/{keyId}`: ends it for good; it stays in the list."""
    return answer(await _keys(request).revoke(path_uuid(request, "keyId")))


async def unblock(request: web.Request) -> web.Response:
    """`POST /api/orgs/{id}/keys/{keyId}/unblock`."""
    return answer(await _keys(request).unblock(path_uuid(request, "keyId")))


async def check(request: web.Request) -> web.Response:
    """`POST /api/keys/check`: whether the key that somebody came with is good, and whose it is."""
    wanted = await body_as(request, WantedCheck)
    resources = request.app[RESOURCES]
    row = await resources.keys.find(wanted.key)
    found = checked(row)
    if row is not None and found.valid and row["stale"]:
        resources.key_use.add([row["id"]])
    return answer(found)


def _keys(request: web.Request) -> ApiKeys:
    return ApiKeys(request.app[RESOURCES].pool, request.match_info["id"])


_LIST, _ONE = "/api/orgs/{id}/keys", "/api/orgs/{id}/keys/{keyId}"
ROUTES = (
    Route("POST", _LIST, make, "Make an API key; the answer alone shows it", MadeApiKey,
          body=NewApiKey, status=201, audit="api_key.created"),
    Route("GET", _LIST, page, "An organisation's API keys", Page[ApiKey], query=ById),
    Route("DELETE", _ONE, revoke, "Revoke an API key", ApiKey, audit="api_key.revoked"),
    Route("POST", f"{_ONE}/unblock", unblock, "Unblock an API key", ApiKey,
          audit="api_key.unblocked"),
    Route("POST", "/api/keys/check", check, "Whether an API key is good", KeyCheck,
          body=WantedCheck, limit="checks"),
)  # fmt: skip
