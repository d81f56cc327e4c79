"""What the record says of a report: its job, and what the job has found out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

CONFLICTS = "switchyard/conflicts"
_GATE_PREFIX = "switchyard/"


@dataclass(frozen=True, slots=True)
class Job:
    """Where the job stands; `state` None: the record knows it no longer."""

    state: str | None
    error: str | None = None
    message: str | None = None
    failures: int = 0
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """What is recorded of a gate's evaluation, as JSON has it."""

    state: str
    verdict: str | None
    evaluation: Mapping[str, Any]
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A finding, as JSON has it, and whether it was not there before this commit."""

    finding: Mapping[str, Any]
    new: bool


@dataclass(frozen=True, slots=True)
class Conflicts:
    """What contradicts what on a branch, the worst first.

    `own`: this very job found it. `current`: the branch still stands at this commit; else only
    what was new at the commit is known.
    """

    own: bool
    current: bool
    branch: str | None
    found: Sequence[Conflict]


@dataclass(frozen=True, slots=True)
class Place:
    """What a report is about, and under which name it is shown."""

    project_id: UUID
    commit_sha: str
    name: str

    @property
    def gate(self) -> str:
        """The gate's name."""
        return self.name.removeprefix(_GATE_PREFIX)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one report, and what is known of what was sent before.

    `uncertain`: an attempt was made whose end nobody knows. `round` grows whenever something is to
    be shown anew; what was completed in a round is final.
    """

    place: Place
    sender: str
    job_id: UUID
    round: int
    check_run_id: int | None
    sent_state: str | None
    sent_digest: str | None
    uncertain: bool
    job: Job
    gate: Gate | None = None
    conflicts: Conflicts | None = None

    @property
    def is_final(self) -> bool:
        """Whether GitHub shows how it ended."""
        return self.sent_state == "completed"

    @property
    def external_id(self) -> str:
        """What tells this round's check run from every other one."""
        return f"{self.job_id}:{self.round}"
