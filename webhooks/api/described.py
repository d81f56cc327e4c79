"""What is served beside the API, described for its document: GitHub's webhook, and the health."""

from typing import Literal
from uuid import UUID

from pydantic import Field, RootModel

from webhooks.api.routes import Parameter, Route
from webhooks.github import endpoint
from worker.jobs.views import View


class Pong(View):
    """The answer to GitHub's ping."""

    pong: Literal[True]


class JobOfDelivery(View):
    """A job that a delivery became."""

    id: UUID
    queue: str


class Accepted(View):
    """Committed: these jobs will run. A delivery seen before is a duplicate, with the same jobs."""

    accepted: Literal[True]
    delivery_id: str
    jobs: list[JobOfDelivery]
    duplicate: Literal[True] = True


class Ignored(View):
    """Understood, and nothing to do."""

    accepted: Literal[False]
    reason: str
    duplicate: Literal[True] = True


class Understood(RootModel[Accepted | Ignored]):
    """What became of a delivery."""


class Health(View):
    """How a process is; `checks` has what fails, `warnings` what can be done without."""

    status: Literal["healthy", "unhealthy"]
    uptime: float
    timestamp: str
    checks: dict[str, str] = Field(default_factory=dict)
    warnings: dict[str, str] = Field(default_factory=dict)


class Liveness(View):
    """The process runs."""

    status: Literal["alive"]


class Readiness(View):
    """Whether requests should be sent here."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


_HEADERS = (
    Parameter("X-GitHub-Event", "such as `push`", required=True),
    Parameter("X-GitHub-Delivery", "the delivery's GUID, by which it is known", required=True),
    Parameter("X-Hub-Signature-256", "`sha256=` and the HMAC of the raw body", required=True),
    Parameter("traceparent", "the W3C trace that the delivery belongs to"),
)
_ERRORS = {
    400: "malformed; the message says what",
    401: "the signature is missing or wrong",
    408: "the headers or the body took longer than 10 s",
    413: "over 25 MB",
    415: "not JSON or a form, or compressed",
    503: "nothing was accepted: send it again",
}
ROUTES = (
    Route("POST", endpoint.PATH, None, "GitHub delivers an event", Pong, also={202: Understood},
          headers=_HEADERS, errors=_ERRORS, open_to_all=True),
    Route("GET", "/health", None, "How the process is", Health, also={503: Health},
          open_to_all=True),
    Route("GET", "/livez", None, "Whether the process runs", Liveness, open_to_all=True),
    Route("GET", "/readyz", None, "Whether it takes requests", Readiness, also={503: Readiness},
          open_to_all=True),
    Route("GET", "/metrics", None, "Metrics in Prometheus's format", media_type="text/plain",
          open_to_all=True),
)  # fmt: skip
