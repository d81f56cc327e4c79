"""What endpoints may want: names of events, `prefix.*`, or `*` for everything."""

from typing import Annotated, get_args

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from worker.jobs.payload_base import ProjectPayload
from worker.jobs.payloads import PAYLOADS
from worker.jobs.tenant_payloads import NotificationType

EVERYTHING = "*"
_OF_PROJECTS = (
    *(f"{kind}_{end}" for kind, payload in PAYLOADS.items() if issubclass(payload, ProjectPayload)
      for end in ("completed", "failed")),
    "conflict_detected", "gate_evaluated", "gate_awaiting_approval",
    "job_dead", "job_cancelled", "job_superseded", "job_sla_breached",
)  # fmt: skip
EVENTS = frozenset((
    "usage.threshold_reached", "usage.period_closed",
    "feature.disabled", "feature.restored", "api_key.blocked", "api_key.restored",
    "endpoint.disabled", "endpoint.enabled", "endpoint.test",
    *(f"notification.{kind}" for kind in get_args(NotificationType)),
    *(f"project.{name}" for name in _OF_PROJECTS),
))  # fmt: skip
_PREFIXES = frozenset(f"{name.partition('.')[0]}.*" for name in EVENTS)
MOST_FILTERS = 50


def _known(text: str) -> str:
    if text not in EVENTS | _PREFIXES | {EVERYTHING}:
        problem = f"must be the name of an event, one of {', '.join(sorted(_PREFIXES))}, or *"
        raise PydanticCustomError("event", problem)
    return text


def _once(filters: list[str]) -> list[str]:
    return sorted(set(filters))


EventFilter = Annotated[str, Field(max_length=100), AfterValidator(_known)]
EventFilters = Annotated[
    list[EventFilter], Field(min_length=1, max_length=MOST_FILTERS), AfterValidator(_once)
]
