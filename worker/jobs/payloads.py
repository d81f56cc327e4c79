"""The payload of every kind of job, as it stands on the wire, and which kind has which."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from worker.errors import InvalidInput
from worker.jobs.payload_base import Days, Name, Payload, ProjectPayload, Text, field_errors
from worker.jobs.tenant_payloads import (
    AuditEvent,
    AutoAction,
    EndpointProbe,
    Notification,
    UsageIngestion,
    WebhookDelivery,
)

Sha = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
Branch = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")
]
GateType = Literal["unit-tests", "integration-tests", "type-check", "lint"]
Path = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]


class ArtifactScan(ProjectPayload):
    """Read the documents of the pushed commit; `forced`: it may leave out commits before it."""

    repo_url: Text
    branch: Branch
    commit_sha: Sha
    webhook_event_id: Name
    forced: bool = False


class ConflictDetection(ProjectPayload):
    """Compare what changed on a branch since it was last compared, and what that touches.

    What is named in `artifact_ids` and `story_ids` is compared again even if it did not change.
    Without a branch it is the project's default one, or the one scanned last.
    """

    artifact_ids: Annotated[list[Name], Field(max_length=10_000)] = Field(default_factory=list)
    story_ids: Annotated[list[Name], Field(max_length=10_000)] | None = None
    branch: Branch | None = None
    commit_sha: Sha | None = None


class GateEvaluation(ProjectPayload):
    """Run one of a repository's own checks: at a commit, or at the last scanned one of a branch.

    `sender` pushed the commit; `approved_by` has looked at it and takes it upon himself.
    """

    gate_type: GateType
    story_id: Name | None = None
    commit_sha: Sha | None = None
    branch: Branch | None = None
    sender: Name | None = None
    approved_by: Name | None = None


class GithubReport(ProjectPayload):
    """Bring what GitHub shows of a commit, under this name, up to date."""

    commit_sha: Sha
    name: Name


class CodeJob(ProjectPayload):
    """Work on a project's code at a commit, or at its newest one."""

    commit_sha: Sha | None = None
    config: dict[str, Any] = Field(default_factory=dict)


class Analysis(CodeJob):
    """Measure the code and recommend what to mend."""


class Refactoring(CodeJob):
    """Propose a patch by a named recipe."""

    recipe: Name
    paths: Annotated[list[Path], Field(max_length=10_000)] = Field(default_factory=list)


class TestGeneration(CodeJob):
    """Propose tests for what has none."""

    paths: Annotated[list[Path], Field(max_length=10_000)] = Field(default_factory=list)


class Index(CodeJob):
    """List a project's symbols, references and imports."""


class Blueprint(CodeJob):
    """Describe a project's structure from its index."""


class Cleanup(Payload):
    """Housekeeping outside the database: remove what nobody used for so many days."""

    task: Literal["old_clones"]
    days: Days = 30


class Maintenance(Payload):
    """A scheduled task; `tick` is when it fell due, and is missing when it was run by hand."""

    tick: AwareDatetime | None = None


class UsageAggregation(Maintenance):
    """Sum up the usage of the period that ended at the tick."""

    period: Literal["hour", "day"]


class DeadLetterCleanup(Maintenance):
    """Delete dead letters that died more than so many days ago."""

    days: Days = 30


class MissedDeliveries(Maintenance):
    """Ask GitHub again for the deliveries of the last days that never arrived."""

    days: Annotated[int, Field(ge=1, le=30)] = 3


class ReportSweep(Maintenance):
    """Look for reports to GitHub that do not show how their job ended."""


class Retention(Maintenance):
    """Delete deliveries, unused artifacts, ticks and reports more than so many days old."""

    days: Days = 30


PAYLOADS: dict[str, type[Payload]] = {
    "artifact_scan": ArtifactScan,
    "conflict_detection": ConflictDetection,
    "gate_evaluation": GateEvaluation,
    "analysis": Analysis,
    "refactoring": Refactoring,
    "test_generation": TestGeneration,
    "index": Index,
    "blueprint": Blueprint,
    "webhook_delivery": WebhookDelivery,
    "endpoint_probe": EndpointProbe,
    "cleanup": Cleanup,
    "audit_event": AuditEvent,
    "usage_ingestion": UsageIngestion,
    "notification": Notification,
    "auto_action": AutoAction,
    "period_rollover": Maintenance,
    "usage_aggregation": UsageAggregation,
    "dead_letter_cleanup": DeadLetterCleanup,
    "retention": Retention,
    "github_report": GithubReport,
    "missed_deliveries": MissedDeliveries,
    "report_sweep": ReportSweep,
}


def concurrency_key(payload: Payload) -> str | None:
    """What the job competes for where its queue limits jobs per key: its project or endpoint."""
    match payload:
        case ProjectPayload():
            return f"project:{payload.project_id}"
        case WebhookDelivery():
            return f"endpoint:{payload.endpoint_id}"
    return None


def validate(model: type[Payload], data: object) -> Payload:
    """The data as the model. Raises InvalidInput naming each wrong field, never its value."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidInput("the payload is not valid", field_errors(error)) from None
