"""Outgoing webhooks: an organisation's endpoints, what they were sent, and sending it again."""

from uuid import UUID

from aiohttp import web

from webhooks.api.requests import answer, body_as, optional_body_as, path_uuid, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.paging import ById
from worker.jobs.views import Page
from worker.outgoing.endpoint_views import (
    Endpoint,
    EndpointChange,
    EndpointWithSecret,
    NewEndpoint,
    Rotation,
    TestSent,
)
from worker.outgoing.endpoints import Endpoints
from worker.outgoing.history import (
    DeliveryQuery,
    DeliveryWithAttempts,
    EndpointDelivery,
    OutgoingHistory,
)
from worker.outgoing.replaying import Replayed, ReplayedMessage, Replaying, WantedReplay
from worker.tenants.organisations import Organisations


async def create(request: web.Request) -> web.Response:
    """`POST /api/orgs/{id}/endpoints`: 201 with its secret, which is shown this once."""
    org_id = await _organisation(request)
    wanted = await body_as(request, NewEndpoint)
    return answer(await _endpoints(request).add(org_id, wanted), status=201)


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/endpoints`."""
    org_id = await _organisation(request)
    return answer(await _endpoints(request).page(org_id, query_as(request, ById)))


async def get(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/endpoints/{endpointId}`."""
    return answer(await _endpoints(request).get(*await _ids(request)))


async def change(request: web.Request) -> web.Response:
    """`PATCH /api/orgs/{id}/endpoints/{endpointId}`: changes what is given."""
    ids = await _ids(request)
    return answer(await _endpoints(request).change(*ids, await body_as(request, EndpointChange)))


async def delete(request: web.Request) -> web.Response:
    """`DELETE /api/orgs/{id}/endpoints/{endpointId}`: the endpoint as it was."""
    return answer(await _endpoints(request).delete(*await _ids(request)))


async def rotate(request: web.Request) -> web.Response:
    """`POST …/rotate`: the next secret; the one before signs as well until `previousUntil`."""
    ids = await _ids(request)
    wanted = await optional_body_as(request, Rotation)
    return answer(await _endpoints(request).rotate(*ids, wanted))


async def disable(request: web.Request) -> web.Response:
    """`POST …/disable`."""
    return answer(await _endpoints(request).disable(*await _ids(request)))


async def enable(request: web.Request) -> web.Response:
    """`POST …/enable`: its failures are forgotten, too."""
    return answer(await _endpoints(request).enable(*await _ids(request)))


async def test(request: web.Request) -> web.Response:
    """`POST …/test`: 202 with the id of the message that is sent to it alone."""
    return answer(await _endpoints(request).test(*await _ids(request)), status=202)


async def deliveries(request: web.Request) -> web.Response:
    """`GET …/deliveries?state&event&from&to`, the newest first."""
    ids = await _ids(request)
    return answer(await _history(request).page(*ids, query_as(request, DeliveryQuery)))


async def delivery(request: web.Request) -> web.Response:
    """`GET …/deliveries/{messageId}`, with every attempt and the body as it is sent."""
    ids = await _ids(request)
    return answer(await _history(request).get(*ids, path_uuid(request, "messageId")))


async def replay(request: web.Request) -> web.Response:
    """`POST …/deliveries/{messageId}/replay`: 202 with its job."""
    ids = await _ids(request)
    return answer(await _replaying(request).one(*ids, path_uuid(request, "messageId")), status=202)


async def replay_many(request: web.Request) -> web.Response:
    """`POST …/replay`: 202 with how many go out again, and where to go on."""
    ids = await _ids(request)
    wanted = await body_as(request, WantedReplay)
    return answer(await _replaying(request).many(*ids, wanted), status=202)


def _endpoints(request: web.Request) -> Endpoints:
    resources = request.app[RESOURCES]
    allowed = resources.settings.webhook_allowed_networks
    return Endpoints(resources.pool, resources.ringer, resources.cipher, allowed)


def _history(request: web.Request) -> OutgoingHistory:
    return OutgoingHistory(request.app[RESOURCES].pool)


def _replaying(request: web.Request) -> Replaying:
    resources = request.app[RESOURCES]
    return Replaying(resources.pool, resources.ringer, resources.planner)


async def _organisation(request: web.Request) -> str:
    found = await Organisations(request.app[RESOURCES].pool).get(request.match_info["id"])
    return found.id


async def _ids(request: web.Request) -> tuple[str, UUID]:
    return await _organisation(request), path_uuid(request, "endpointId")


_ALL = "/api/orgs/{id}/endpoints"
_ONE = f"{_ALL}/{{endpointId}}"
_SENT = f"{_ONE}/deliveries"
_NO_KEY = "no key to keep secrets with is set"
_DISABLED = {409: "the endpoint is disabled"}
ROUTES = (
    Route("POST", _ALL, create, "Add an endpoint", EndpointWithSecret, body=NewEndpoint,
          status=201, errors={409: f"{_NO_KEY}, or there are too many endpoints"},
          audit="endpoint.created"),
    Route("GET", _ALL, page, "Endpoints of an organisation", Page[Endpoint], query=ById),
    Route("GET", _ONE, get, "An endpoint", Endpoint),
    Route("PATCH", _ONE, change, "Change an endpoint", Endpoint, body=EndpointChange,
          audit="endpoint.changed"),
    Route("DELETE", _ONE, delete, "Delete an endpoint with its deliveries", Endpoint,
          audit="endpoint.deleted"),
    Route("POST", f"{_ONE}/rotate", rotate, "Give an endpoint another secret", EndpointWithSecret,
          body=Rotation, errors={409: _NO_KEY}, audit="endpoint.secret_rotated"),
    Route("POST", f"{_ONE}/disable", disable, "Send an endpoint nothing more", Endpoint,
          audit="endpoint.disabled"),
    Route("POST", f"{_ONE}/enable", enable, "Send to an endpoint again", Endpoint,
          audit="endpoint.enabled"),
    Route("POST", f"{_ONE}/test", test, "Send a test to an endpoint", TestSent, status=202,
          errors=_DISABLED, audit="endpoint.tested"),
    Route("POST", f"{_ONE}/replay", replay_many, "Send messages again", Replayed,
          body=WantedReplay, status=202, errors=_DISABLED, audit="endpoint.replayed"),
    Route("GET", _SENT, deliveries, "What an endpoint was sent", Page[EndpointDelivery],
          query=DeliveryQuery),
    Route("GET", f"{_SENT}/{{messageId}}", delivery, "A delivery with every attempt",
          DeliveryWithAttempts),
    Route("POST", f"{_SENT}/{{messageId}}/replay", replay, "Send a message again",
          ReplayedMessage, status=202, errors=_DISABLED, audit="delivery.replayed"),
)  # fmt: skip
