"""`POST /api/webhooks/github`: the request around the intake, its answer, log line and metrics."""

import asyncio
import time
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDictProxy

from webhooks.answers import Headers, rendered, rendered_response
from webhooks.bodies import WEBHOOK_LIMIT
from webhooks.github.deliveries import Delivery
from webhooks.github.notes import note_refusal
from webhooks.middleware import response_to
from webhooks.resources import RESOURCES, Resources
from worker.errors import SwitchyardError
from worker.jobs.deliveries import Acceptance
from worker.metrics import WEBHOOK_DURATION

METHOD, PATH = "POST", "/api/webhooks/github"
_DURATION = WEBHOOK_DURATION.labels("github")
_JSON: Headers = (("Content-Type", "application/json"),)


async def receive(request: web.Request) -> web.Response:
    """Answer once the delivery is committed, or refused."""
    started = time.perf_counter()
    resources = request.app[RESOURCES]
    try:
        body = await resources.bodies.read(request, WEBHOOK_LIMIT)
        try:
            delivery, acceptance = await resources.intake.receive(request.headers, body)
        finally:
            resources.bodies.release(body)
    except (SwitchyardError, web.HTTPRequestTimeout) as error:
        note_refusal(request.headers, error)
        raise
    finally:
        _DURATION.observe(time.perf_counter() - started)
    status, answer = _answer(delivery, acceptance)
    _trace(resources, delivery, request.headers, started, status)
    return web.Response(status=status, body=answer, headers=dict(_JSON))


class Shortcut:
    """The same for deliveries that have come whole, past the request objects of aiohttp."""

    method, path = METHOD, PATH

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def take(self, headers: CIMultiDictProxy[str], body: bytes) -> "Taken | None":
        """The reply to come; None for what is refused, or has to wait: `receive` tells why."""
        started, bodies = time.perf_counter(), self._resources.bodies
        if self._resources.health.draining or not bodies.room.take_now(len(body)):
            return None
        intake = self._resources.intake
        try:
            delivery = intake.understand(headers, body)
        except Exception:  # noqa: BLE001  it comes again where it can be told
            bodies.release(body)
            return None
        return Taken(self._resources, headers, delivery, intake.record(delivery), started)


class Taken:
    """A delivery on its way to the record; `ready` is done when it is there, or refused."""

    __slots__ = ("_delivery", "_headers", "_resources", "_started", "ready")

    def __init__(
        self,
        resources: Resources,
        headers: CIMultiDictProxy[str],
        delivery: Delivery,
        ready: asyncio.Future[Acceptance],
        started: float,
    ) -> None:
        self._resources, self._headers = resources, headers
        self._delivery, self._started, self.ready = delivery, started, ready

    def render(self) -> bytes:
        """The answer; its log line is written, and it is counted."""
        self._resources.bodies.release(self._delivery.body)
        _DURATION.observe(time.perf_counter() - self._started)
        try:
            acceptance = self.ready.result()
            status, answer = _answer(self._delivery, acceptance)
            _trace(self._resources, self._delivery, self._headers, self._started, status)
            return rendered(status, answer, _JSON)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  as every other request
            return self._refused(error)

    def _refused(self, error: BaseException) -> bytes:
        if isinstance(error, SwitchyardError):
            note_refusal(self._headers, error)
        known = error if isinstance(error, Exception) else RuntimeError("the service is stopping")
        return rendered_response(response_to(known, METHOD, PATH))


def _answer(delivery: Delivery, acceptance: Acceptance) -> tuple[int, bytes]:
    if delivery.event == "ping":
        return 200, b'{"pong":true}'
    told: dict[str, Any]
    if acceptance.ignored_reason is not None:
        told = {"accepted": False, "reason": acceptance.ignored_reason}
    else:
        told = {"accepted": True, "deliveryId": delivery.guid, "jobs": acceptance.jobs}
    return 202, orjson.dumps(told | {"duplicate": True} if acceptance.duplicate else told)


def _trace(
    resources: Resources,
    delivery: Delivery,
    headers: CIMultiDictProxy[str],
    started: float,
    status: int,
) -> None:
    seconds, caller = time.perf_counter() - started, headers.get("traceparent")
    resources.tracing.push(delivery.traceparent, caller, seconds, status, delivery.guid)
