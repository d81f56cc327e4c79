"""Spans of pushes, commits, waits and attempts: none, unless somebody wants to see them.

A job carries the `traceparent` of the request that it came from. All spans of what became of it are
children of that request's span: push, with commit, and a wait and an attempt for each attempt.
"""

import asyncio
from typing import Any

import structlog

from worker.jobs.model import StartedJob

log = structlog.get_logger(__name__)

MISSING = "the libraries are not installed: pip install 'switchyard[otel]'"


class Tracing:
    """Tracing that is off. Everything it is told, and it is told little, it forgets."""

    def push(
        self, traceparent: str, caller: str | None, seconds: float, status: int, delivery_id: str
    ) -> None:
        """A delivery was answered after so long; `caller` is the header that it came with."""

    def committing(self, traceparent: str, committed: asyncio.Future[Any]) -> None:
        """A delivery is on its way to the record until the future is done."""

    def attempt(
        self, job: StartedJob, since: float, seconds: float, outcome: str, error: str | None
    ) -> None:
        """An attempt that began so many seconds ago (`since`) ended after so many `seconds`."""

    async def close(self) -> None:
        """Send what is left, for a few seconds at most."""


def open_tracing(endpoint: str | None, service: str) -> Tracing:
    """Tracing to an OTLP collector over HTTP, or none without an endpoint or the libraries.

    `service` is the name shown there, unless OTEL_SERVICE_NAME gives another. The libraries read
    the other variables of OpenTelemetry themselves.
    """
    if endpoint is None:
        return Tracing()
    try:
        from worker.tracing.otlp import Otlp
    except ImportError as error:
        log.warning("tracing.unavailable", problem=MISSING, missing=error.name)
        return Tracing()
    return Otlp(endpoint, service)
