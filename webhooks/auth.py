"""Who may call the API: whoever has the token, when one is set."""

import hmac

from aiohttp import web
from aiohttp.typedefs import Handler

from webhooks.github import endpoint
from webhooks.resources import RESOURCES
from worker.errors import Unauthorized

API = "/api/"


@web.middleware
async def require_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raise Unauthorized for an API call without the token. GitHub's deliveries are signed."""
    token = request.app[RESOURCES].settings.api_token
    if token is not None and _is_guarded(request):
        check_bearer(request.headers.getall("Authorization", []), token.get_secret_value())
    return await handler(request)


def check_bearer(given: list[str], token: str) -> None:
    """Raise Unauthorized unless the one `Authorization` value carries the token."""
    if not given:
        raise Unauthorized("Send the API token: Authorization: Bearer <token>.")
    scheme, _, credentials = given[0].partition(" ")
    sent = credentials.strip().encode("utf-8", "surrogateescape")
    matches = hmac.compare_digest(sent, token.encode())
    if len(given) > 1 or scheme.lower() != "bearer" or not matches:
        raise Unauthorized("The API token is wrong.")


def _is_guarded(request: web.Request) -> bool:
    # The route decides and not the path as written, which may be escaped in many ways.
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else request.path
    return path.startswith(API) and path != endpoint.PATH
