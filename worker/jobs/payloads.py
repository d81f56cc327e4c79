"""The payload of every kind of job, as it stands on the wire: camelCase, checked, bounded."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from worker.errors import InvalidInput

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]+$")]
Sha = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
Branch = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")
]
GateType = Literal["unit-tests", "integration-tests", "type-check", "lint"]
Days = Annotated[int, Field(ge=1, le=36_500)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]


class Payload(BaseModel):
    """The base: unknown fields are refused, so that a typo is an error and not a default."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    def wire(self) -> dict[str, Any]:
        """The JSON object that is stored and shown."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ProjectPayload(Payload):
    """A payload about one project."""

    project_id: UUID


class OrganisationPayload(Payload):
    """A payload about one organisation."""

    org_id: Name


PeriodKind = Literal["hour", "day", "month"]
NotificationType = Literal[
    "threshold_warning", "limit_exceeded", "feature_disabled", "endpoint_disabled"
]
ActionType = Literal["disable_feature", "block_api_key", "send_notification"]
Metric = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_.:-]{0,99}$")]
MOST_USAGE_EVENTS = 10_000
LARGEST_QUANTITY = 1_000_000_000


class UsageEvent(Payload):
    """So much of something was used; without a timestamp when the batch was accepted."""

    metric: Metric
    quantity: Annotated[int, Field(strict=True, ge=0, le=LARGEST_QUANTITY)] = 1
    timestamp: AwareDatetime | None = None


class Party(Payload):
    """Who did something, or what it was done to."""

    type: Name
    id: Name | None = None


class Deed(Payload):
    """What somebody did. The same id a second time changes nothing."""

    id: Name
    action: Name
    actor: Party
    target: Party | None = None
    occurred_at: AwareDatetime
    context: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class AuditedEvent(Deed):
    """The same with the organisation that it belongs to; none: the whole installation."""

    org_id: Name | None = None


class ReachedThreshold(Payload):
    """That usage in a period went past so many percent of its limit."""

    metric: Metric
    period: PeriodKind
    period_start: AwareDatetime
    period_end: AwareDatetime
    percent: int
    quantity: int
    limit: int


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

    artifact_ids: Annotated[list[Name], Field(max_length=10_000)] = []
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
    config: dict[str, Any] = {}


class Analysis(CodeJob):
    """Measure the code and recommend what to mend."""


class Refactoring(CodeJob):
    """Propose a patch by a named recipe."""

    recipe: Name
    paths: Annotated[list[Path], Field(max_length=10_000)] = []


class TestGeneration(CodeJob):
    """Propose tests for what has none."""

    paths: Annotated[list[Path], Field(max_length=10_000)] = []


class Index(CodeJob):
    """List a project's symbols, references and imports."""


class Blueprint(CodeJob):
    """Describe a project's structure from its index."""


class WebhookDelivery(OrganisationPayload):
    """Send one stored message to one endpoint."""

    endpoint_id: UUID
    message_id: UUID


class Cleanup(Payload):
    """Housekeeping outside the database: remove what nobody used for so many days."""

    task: Literal["old_clones"]
    days: Days = 30


class EndpointProbe(Payload):
    """See whether an endpoint that was disabled because it failed works again."""

    endpoint_id: UUID


class AuditEvent(Payload):
    """Record what somebody did."""

    event: AuditedEvent


class UsageIngestion(OrganisationPayload):
    """Count a batch of usage events, once for each batch id."""

    events: Annotated[list[UsageEvent], Field(min_length=1, max_length=MOST_USAGE_EVENTS)]
    batch_id: Name


class Notification(OrganisationPayload):
    """Tell an organisation something, by the ways it chose; what has the same key only once."""

    type: NotificationType
    data: dict[str, Any]
    key: Name | None = None


class AutoAction(OrganisationPayload):
    """Act on an organisation's behalf by its own rules.

    `target_id` is a flag's key, an API key's id, or the type of a notification. `restore_at` is
    when to undo it, if nobody does it before.
    """

    action: ActionType
    target_id: Name
    reason: Text
    threshold: ReachedThreshold | None = None
    restore_at: AwareDatetime | None = None


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


def field_errors(error: ValidationError) -> dict[str, str]:
    """What is wrong, by dotted field name as it stands on the wire."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return {".".join(str(part) for part in e["loc"]) or "(body)": e["msg"] for e in found}
