"""Whether a call is let in: an API key opens few routes, and of those only its own."""

from aiohttp import web
from aiohttp.typedefs import Handler

from webhooks.api.routes import Route, route_of
from webhooks.auth import CALLER, authorise, identified
from webhooks.github import endpoint
from worker.errors import Forbidden

API = "/api/"
_OF_ORGANISATION = "/api/orgs/{id}"


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let those through who may make the call. GitHub's deliveries are signed instead.

    Raises Forbidden for a route that an API key does not open, and what `identified` raises.
    """
    if _is_guarded(request):
        who = request[CALLER] = await identified(request)
        if who.kind == "api_key":
            _check_key_opens(request, route_of(request))
    return await handler(request)


def _check_key_opens(request: web.Request, route: Route | None) -> None:
    if route is None or not route.open_to_keys:
        raise Forbidden("An API key does not do for this call; it needs the API token.")
    if route.path.startswith(_OF_ORGANISATION):
        authorise(request, request.match_info["id"])


def _is_guarded(request: web.Request) -> bool:
    # The route decides and not the path as written, which may be escaped in many ways.
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else request.path
    return path.startswith(API) and path != endpoint.PATH
