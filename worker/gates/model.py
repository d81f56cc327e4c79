"""What a check is and what came of it; camelCase in JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

GateType = Literal["unit-tests", "integration-tests", "type-check", "lint"]
GATE_TYPES: tuple[GateType, ...] = ("unit-tests", "integration-tests", "type-check", "lint")
Verdict = Literal["pass", "fail", "error", "timeout", "vacuous", "not_configured"]
Level = Literal["error", "warning", "notice"]
ReportFormat = Literal[
    "junit", "ruff-json", "eslint-json", "jest-json", "mypy-json", "go-json", "cargo-json"
]


class Record(BaseModel):
    """Immutable, and written in camelCase wherever it is serialised."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
    )


@dataclass(frozen=True)
class ReportFile:
    """A file that the command writes for machines; `path` is relative to the tree."""

    path: str
    format: ReportFormat


@dataclass(frozen=True)
class Command:
    """One check of a repository.

    `directory` is where it runs, relative to the tree ("" for its root); `source` says where it
    was found ("package.json scripts.test"); `tool` is the program that does the work, where known.
    `stdout` is the path in the tree of the report that takes its standard output, where one does.
    """

    argv: tuple[str, ...]
    directory: str
    source: str
    reports: tuple[ReportFile, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tool: str | None = None
    stdout: str | None = None


class Counts(Record):
    """Tests by outcome; `flaky` ones failed at first and are counted under `passed`."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    flaky: int = 0


class Diagnostic(Record):
    """One complaint of a tool; `path` is relative to the tree, lines and columns count from 1."""

    path: str
    line: int
    end_line: int | None = None
    column: int | None = None
    severity: Level
    message: str
    rule: str | None = None


class Evaluation(Record):
    """The verdict on one gate: `reason` is one sentence for people.

    `log` is the last part of the output, at most 64 kB, free of control sequences. `environment`
    tells what decided the outcome besides the tree: versions, limits, hashes of lock files.
    """

    gate_type: GateType
    verdict: Verdict
    reason: str
    command: str | None = None
    source: str | None = None
    exit_code: int | None = None
    duration_ms: int = 0
    counts: Counts | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    truncated: bool = False
    """Whether there were more diagnostics than are kept here."""
    log: str = ""
    flaky: tuple[str, ...] = ()
    environment: dict[str, str] = {}
