"""`POST /api/webhooks/github`: the request around the intake, its answer, log line and metrics."""

import time
from functools import cache
from typing import Any

import orjson
import structlog
from aiohttp import web
from prometheus_client import Counter

from webhooks.bodies import WEBHOOK_LIMIT
from webhooks.github.deliveries import Delivery
from webhooks.resources import RESOURCES
from worker.errors import SwitchyardError
from worker.jobs.deliveries import Acceptance
from worker.metrics import WEBHOOK_DURATION, WEBHOOK_REQUESTS

log = structlog.get_logger(__name__)

PATH = "/api/webhooks/github"
KNOWN_EVENTS = frozenset({"push", "ping", "repository"})
_EVENTS = {name: f"webhook.{name}" for name in ("accepted", "duplicate", "ignored")}
_DURATION = WEBHOOK_DURATION.labels("github")


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
        _note_refusal(request, error)
        raise
    finally:
        _DURATION.observe(time.perf_counter() - started)
    _note(delivery, acceptance)
    status, answer = _answer(delivery, acceptance)
    return web.Response(status=status, body=orjson.dumps(answer), content_type="application/json")


def _answer(delivery: Delivery, acceptance: Acceptance) -> tuple[int, dict[str, Any]]:
    if delivery.event == "ping":
        return 200, {"pong": True}
    repeated = {"duplicate": True} if acceptance.duplicate else {}
    if acceptance.ignored_reason is not None:
        return 202, {"accepted": False, "reason": acceptance.ignored_reason} | repeated
    told = {"accepted": True, "deliveryId": delivery.guid, "jobs": acceptance.jobs}
    return 202, told | repeated


def _note(delivery: Delivery, acceptance: Acceptance) -> None:
    result = _result(acceptance)
    _count(delivery.event, result)
    log.info(
        _EVENTS[result],
        delivery_id=delivery.guid,
        correlation_id=delivery.guid,
        github_event=delivery.event,
        repository=delivery.repository,
        reason=acceptance.ignored_reason,
        jobs=[job["id"] for job in acceptance.jobs],
    )


def _result(acceptance: Acceptance) -> str:
    if acceptance.duplicate:
        return "duplicate"
    return "accepted" if acceptance.ignored_reason is None else "ignored"


def _note_refusal(request: web.Request, error: SwitchyardError | web.HTTPRequestTimeout) -> None:
    # Nothing here is proved genuine: what the request says is shortened and escaped.
    guid = ascii(request.headers.get("X-GitHub-Delivery", ""))[1:-1][:100] or None
    _count(request.headers.get("X-GitHub-Event", ""), "refused")
    log.warning(
        "webhook.refused",
        delivery_id=guid,
        correlation_id=guid,
        reason=error.code if isinstance(error, SwitchyardError) else "request_timeout",
        problem=error.message if isinstance(error, SwitchyardError) else error.text,
    )


def _count(event: str, result: str) -> None:
    _counter(event if event in KNOWN_EVENTS else "other", result).inc()


@cache
def _counter(event: str, result: str) -> Counter:
    return WEBHOOK_REQUESTS.labels("github", event, result)
