"""How often a caller may make the calls that have a limit, and the headers that tell him."""

import math
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from webhooks.api.routes import route_of
from webhooks.auth import caller
from webhooks.resources import RESOURCES
from worker.errors import LimitUnavailable, RateLimited
from worker.rates import Taken
from worker.settings import Settings

WINDOW_SECONDS = 60
_HEADERS = web.RequestKey("rate_headers", dict[str, str])
_UNAVAILABLE = {"RateLimit-Policy": "unavailable"}


@web.middleware
async def keep_rates(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raise RateLimited where a caller calls too often.

    While Redis is away usage comes in all the same, and keys are not checked: LimitUnavailable.
    """
    route = route_of(request)
    if route is not None and route.limit is not None:
        await _take(request, route.limit)
    return await handler(request)


async def add_rate_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer to such a call, refusals too: what is left of the caller's allowance."""
    response.headers.update(request.get(_HEADERS, {}))


async def _take(request: web.Request, call: Literal["usage", "checks"]) -> None:
    resources = request.app[RESOURCES]
    limit = _per_minute(resources.settings, call)
    try:
        taken = await resources.rates.take(call, _who(request), limit, WINDOW_SECONDS)
    except LimitUnavailable:
        request[_HEADERS] = _UNAVAILABLE
        if call == "usage":
            return
        raise
    request[_HEADERS] = _headers(taken)
    if not taken.allowed:
        raise RateLimited(f"Too many calls: {limit} a minute are allowed.", taken.retry_after)


def _per_minute(settings: Settings, call: Literal["usage", "checks"]) -> int:
    return settings.usage_calls_per_minute if call == "usage" else settings.key_checks_per_minute


def _who(request: web.Request) -> str:
    who = caller(request)
    return {
        "operator": "operator",
        "api_key": f"key:{who.id}",
        "anyone": f"address:{request.remote}",
    }[who.kind]


def _headers(taken: Taken) -> dict[str, str]:
    return {
        "RateLimit-Policy": f"{taken.limit};w={WINDOW_SECONDS}",
        "RateLimit-Limit": str(taken.limit),
        "RateLimit-Remaining": str(taken.remaining),
        "RateLimit-Reset": str(math.ceil(taken.reset)),
    }
