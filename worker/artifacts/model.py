"""The record that one document becomes; camelCase in JSON."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from worker.artifacts.strings import clean, shorten

Short = Annotated[str, BeforeValidator(shorten)]
Words = Annotated[str, BeforeValidator(clean)]


class Record(BaseModel):
    """Immutable, and written in camelCase wherever it is serialised."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
    )


class Status(Record):
    """`raw` as written (several lines in an ADR); `normalized` is None when not understood."""

    raw: Words
    normalized: Short | None
    line: int


class Criterion(Record):
    """One acceptance criterion; `checked` is None where the document has no box for it."""

    n: Short
    text: Words
    line: int
    checked: bool | None = None


class Task(Record):
    """One checkbox; `level` 0 is a task, 1 its sub-task; `acs` are the `n` of criteria."""

    n: Short | None
    text: Words
    done: bool
    acs: tuple[Short, ...]
    line: int
    level: int


class Link(Record):
    """A link as written: `target` before the `#` (empty for this document), `anchor` after it."""

    target: Words
    anchor: Words | None
    line: int


class Dependency(Record):
    """What has to come first: `kind` is story, epic or adr; `target` its id."""

    kind: Short
    target: Short
    line: int


class Section(Record):
    """A heading; `level` is 1 to 6."""

    title: Words
    level: int
    line: int


class Dates(Record):
    """ISO dates where the document has them, otherwise its own words."""

    created: Short | None = None
    updated: Short | None = None


class Issue(Record):
    """One finding of a quality gate."""

    id: Short | None
    severity: Short | None
    finding: Words | None
    action: Words | None


class Waiver(Record):
    """Whether a gate was waived, by whom and why."""

    active: bool
    reason: Words | None = None
    approved_by: Short | None = None


class Gate(Record):
    """A quality gate; `verdict` is PASS, CONCERNS, FAIL, WAIVED, or None when not understood."""

    verdict: Short | None
    score: float | None = None
    reason: Words | None = None
    updated: Short | None = None
    expires: Short | None = None
    waiver: Waiver | None = None
    issues: tuple[Issue, ...] = ()


class Flaw(Record):
    """Something odd in the document; `code` is stable, `message` is for people."""

    code: Short
    message: Words
    line: int


class Artifact(Record):
    """What a document says. Equal bytes at an equal path give equal JSON.

    `id` is unique within a `kind`: "1.2" (story), "epic-3", "0001" (adr), "gate-1.2".
    `epic` and `story` are bare ids ("3", "1.2"), so that records of all kinds join on them.
    Lines count from 1.
    """

    id: Short
    kind: Short
    subtype: Short
    path: str
    blob_sha: Short
    title: Words
    status: Status | None = None
    epic: Short | None = None
    story: Short | None = None
    owner: Short | None = None
    dates: Dates = Dates()
    acceptance_criteria: tuple[Criterion, ...] = ()
    tasks: tuple[Task, ...] = ()
    links: tuple[Link, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    supersedes: tuple[Short, ...] = ()
    superseded_by: tuple[Short, ...] = ()
    gate: Gate | None = None
    sections: tuple[Section, ...] = ()
    warnings: tuple[Flaw, ...] = ()
