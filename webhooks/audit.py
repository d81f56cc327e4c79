"""Every steering call that succeeds is in the audit log before it is answered."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from webhooks.answers import REQUEST_ID, new_request_id
from webhooks.api.requests import VIEW
from webhooks.api.routes import route_of
from webhooks.auth import caller
from webhooks.resources import RESOURCES
from worker.errors import NotAudited
from worker.jobs.tenant_payloads import Party
from worker.tenants.audit.steering import Action, Auditing, party, printable

log = structlog.get_logger(__name__)

# The words of paths for what is called otherwise, or whose plural has no simple end.
_TYPES = {
    "orgs": "organisation",
    "keys": "api_key",
    "dead-letters": "job",
    "deliveries": "delivery",
    "actions": "automatic_action",
}
_ORGANISATION = "/api/orgs/{id}"
_PARAMETERS = re.compile(r"/(?P<of>[^/{}]+)(?P<named>(/\{\w+\})+)")
_NAME = re.compile(r"\{(\w+)\}")


@web.middleware
async def audited(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record what was done. Raises NotAudited, when it was done and cannot be recorded."""
    route = route_of(request)
    if route is None or route.audit is None:
        return await handler(request)
    auditing = Auditing(request.app[RESOURCES].pool)
    target = target_of(route.path, request.match_info)
    org_id = request.match_info["id"] if route.path.startswith(_ORGANISATION) else None
    owner = await auditing.owner(org_id, target)
    response = await handler(request)
    if not 200 <= response.status < 300:
        return response
    request_id = response.headers.setdefault(REQUEST_ID, new_request_id())
    created = response.status == 201
    action = Action(
        route.audit, _actor(request), _context(request, request_id),
        None if created else target, owner,
    )  # fmt: skip
    try:
        await auditing.done(action, response.get(VIEW), datetime.now(UTC))
    except NotAudited as error:
        log.error("audit.missed", action=action.name, request_id=request_id, error=error.message)
        raise
    return response


def target_of(path: str, given: Mapping[str, str]) -> Party | None:
    """What the last parameters of a path name: `…/keys/{keyId}/unblock` is about an API key."""
    found = list(_PARAMETERS.finditer(path))
    if not found:
        return None
    kind, names = found[-1]["of"], _NAME.findall(found[-1]["named"])
    values = "/".join(given[name] for name in names)
    return party(_TYPES.get(kind, kind.removesuffix("s").replace("-", "_")), values)


def _actor(request: web.Request) -> Party:
    who = caller(request)
    return Party(type=who.kind, id=who.id)


def _context(request: web.Request, request_id: str) -> dict[str, str]:
    told = {
        "remoteAddress": request.remote,
        "requestId": request_id,
        "userAgent": request.headers.get("User-Agent"),
    }
    return {name: printable(value) for name, value in told.items() if value}
