"""What is told of deliveries: a log line each, and counts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

import prometheus_client
import structlog
from aiohttp import web

from webhooks.github.deliveries import Delivery
from worker.errors import SwitchyardError
from worker.jobs.deliveries import Acceptance
from worker.jobs.trace import trace_id
from worker.logs import info_each
from worker.metrics import JOBS_ENQUEUED, WEBHOOK_REQUESTS

log = structlog.get_logger(__name__)

KNOWN_EVENTS = frozenset({"push", "ping", "repository"})
_EVENTS = {name: f"webhook.{name}" for name in ("accepted", "duplicate", "ignored")}


def note(deliveries: Sequence[Delivery], acceptances: Sequence[Acceptance]) -> None:
    """Tell what became of deliveries that are recorded."""
    rows: defaultdict[str, list[Mapping[str, str | None]]] = defaultdict(list)
    counts: Counter[tuple[str, str]] = Counter()
    jobs: Counter[str] = Counter()
    for delivery, acceptance in zip(deliveries, acceptances, strict=True):
        result = _result(acceptance)
        rows[result].append(_fields(delivery, acceptance))
        counts[delivery.event, result] += 1
        if result == "accepted":
            jobs.update([job["queue"] for job in acceptance.jobs])
    for result, lines in rows.items():
        info_each(log, _EVENTS[result], lines)
    for (event, result), count in counts.items():
        _counter(event, result).inc(count)
    for queue, count in jobs.items():
        JOBS_ENQUEUED.labels(queue).inc(count)


def note_refusal(
    headers: Mapping[str, str], error: SwitchyardError | web.HTTPRequestTimeout
) -> None:
    """Tell why a request was refused."""
    # Nothing here is proved genuine: what the request says is shortened and escaped.
    guid = ascii(headers.get("X-GitHub-Delivery", ""))[1:-1][:100] or None
    _counter(headers.get("X-GitHub-Event", ""), "refused").inc()
    log.warning(
        "webhook.refused",
        delivery_id=guid,
        correlation_id=guid,
        reason=error.code if isinstance(error, SwitchyardError) else "request_timeout",
        problem=error.message if isinstance(error, SwitchyardError) else error.text,
    )


def _result(acceptance: Acceptance) -> str:
    if acceptance.duplicate:
        return "duplicate"
    return "accepted" if acceptance.ignored_reason is None else "ignored"


def _fields(delivery: Delivery, acceptance: Acceptance) -> Mapping[str, str | None]:
    return {
        "delivery_id": delivery.guid,
        "correlation_id": delivery.guid,
        "trace_id": trace_id(delivery.traceparent),
        "github_event": delivery.event,
        "repository": delivery.repository,
        "reason": acceptance.ignored_reason,
        "jobs": ", ".join([job["id"] for job in acceptance.jobs]),
    }


def _counter(event: str, result: str) -> prometheus_client.Counter:
    return _known_counter(event if event in KNOWN_EVENTS else "other", result)


@cache
def _known_counter(event: str, result: str) -> prometheus_client.Counter:
    return WEBHOOK_REQUESTS.labels("github", event, result)
