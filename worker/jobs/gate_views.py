"""What people see of gates and may ask of them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from worker.jobs.paging import ById, Wanted
from worker.jobs.payload_base import Name
from worker.jobs.payloads import Branch, GateType, Sha
from worker.jobs.views import View

GateVerdict = Literal["pass", "fail", "error", "timeout", "vacuous", "not_configured"]
GateState = Literal[
    "queued", "running", "retrying", "awaiting_approval", "approved", "done", "dead", "cancelled",
    "superseded", "lost",
]  # fmt: skip
Sender = Annotated[
    str, Field(max_length=120, pattern=r"^(\*|[A-Za-z0-9_-]+(\[bot\])?)$",
               description="a GitHub login, or * for everybody who can push")
]  # fmt: skip


class NewGateSettings(Wanted, strict=True):
    """How a project's gates are run; what is left out gets its default.

    `network` and `prepare` let the checks, and the installation of what they need, reach the
    network. Pushes of `trustedSenders` are run without approval. `seconds` and `memoryMb` limit
    one evaluation.
    """

    on_push: list[GateType] = Field(default_factory=list, max_length=4)
    network: bool = False
    prepare: bool = False
    trusted_senders: list[Sender] = Field(default_factory=list, max_length=1000)
    seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    memory_mb: Annotated[int, Field(ge=64, le=65_536)] | None = None


class GateSettings(View):
    """How a project's gates are run; `updatedAt` is null as long as nothing was set."""

    on_push: list[GateType]
    network: bool
    prepare: bool
    trusted_senders: list[str]
    seconds: int | None
    memory_mb: int | None
    updated_at: datetime | None


class WantedGate(Wanted):
    """A gate to evaluate: at a commit, which is thereby approved, or at a branch's newest one.

    Without a branch it is the default or last scanned one.
    """

    gate_type: GateType
    story_id: Annotated[Name | None, Field(description="the story it is evaluated for")] = None
    commit_sha: Annotated[Sha | None, Field(description="the commit, which this approves")] = None
    branch: Annotated[Branch | None, Field(description="or the branch whose newest one")] = None


class Approval(Wanted):
    """Who approves that a commit is run."""

    by: Annotated[Name, Field(description="who approves, for the record")] = "api"


class GateQuery(ById):
    """Which evaluations to list: those that fit all that is given."""

    story: Name | None = None
    gate_type: GateType | None = None
    verdict: GateVerdict | None = None
    commit: Sha | None = None
    branch: Branch | None = None


class Gate(View):
    """One evaluation. `verdict` and what follows from it are null until it is `done`."""

    job_id: UUID
    gate_type: GateType
    state: GateState
    verdict: GateVerdict | None
    reason: str | None
    story_id: str | None
    branch: str | None
    commit_sha: str | None
    sender: str | None
    approved_by: str | None
    counts: dict[str, int] | None
    duration_ms: int | None
    asked_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class GateWithLog(Gate):
    """The same with what was run, what it complained about, and the end of its output."""

    command: str | None
    source: str | None
    exit_code: int | None
    diagnostics: list[dict[str, Any]]
    truncated: bool
    flaky: list[str]
    environment: dict[str, str]
    log: str
