"""The record that one document becomes; camelCase in JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from worker.artifacts.strings import clean, quoted, shorten

Short = Annotated[str, BeforeValidator(shorten)]
Words = Annotated[str, BeforeValidator(clean)]
Quote = Annotated[str, BeforeValidator(quoted)]


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
    """A link as written: `target` before the `#` (empty for this document), `anchor` after it.

    `cited` is True for a `[Source: …]` note, which no reader can click on.
    """

    target: Words
    anchor: Words | None
    line: int
    cited: bool = False


class Reference(Record):
    """Another document that this one names; `quote` is the line as written, trimmed."""

    kind: Literal["story", "epic", "adr", "proposal", "spec"]
    target: Short
    line: int
    quote: Quote


class FileClaim(Record):
    """A file of the repository that the work touched; `op` is None where nothing is said."""

    path: Words
    op: Literal["created", "modified", "deleted"] | None
    line: int


class Change(Record):
    """One row of a change log; `date` is an ISO date where it can be read as one."""

    date: Short | None
    version: Short | None
    description: Words
    author: Short | None
    line: int


class Identity(Record):
    """The id that the file name gives, and the one that the document states at `line`."""

    in_file: Short | None = None
    in_document: Short | None = None
    line: int = 1


class Entry(Record):
    """A line that tracks other work: of a sprint status, a roadmap, a list of epics.

    `target` is a bare id ("3", "1.2") of that kind, None where the key holds none.
    """

    key: Short
    kind: Literal["epic", "story", "retrospective", "action", "phase", "task"]
    target: Short | None
    status: Status
    line: int


class Suppression(Record):
    """A remark in the document that accepts a finding of rule `code`."""

    code: Short
    reason: Words
    line: int


class Section(Record):
    """A heading; `level` is 1 to 6, `anchor` its slug on GitHub.

    `sha` are 16 hex digits of the SHA-1 over its lines, down to the next heading.
    """

    title: Words
    level: int
    line: int
    anchor: str
    sha: str


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

    `id` is meant to be unique within a `kind`: "1.2" (story), "epic-3", "0001" (adr), "gate-1.2".
    `epic` and `story` are bare ids ("3", "1.2"), so that records of all kinds join on them;
    in families of specifications `epic` is the name of the feature or change.
    Lines count from 1.
    """

    id: Short
    kind: Short
    subtype: Short
    path: str
    blob_sha: Short
    title: Words
    identity: Identity = Identity()
    status: Status | None = None
    epic: Short | None = None
    story: Short | None = None
    owner: Short | None = None
    dates: Dates = Dates()
    acceptance_criteria: tuple[Criterion, ...] = ()
    tasks: tuple[Task, ...] = ()
    links: tuple[Link, ...] = ()
    dependencies: tuple[Reference, ...] = ()
    supersedes: tuple[Reference, ...] = ()
    superseded_by: tuple[Reference, ...] = ()
    files: tuple[FileClaim, ...] = ()
    change_log: tuple[Change, ...] = ()
    entries: tuple[Entry, ...] = ()
    gate: Gate | None = None
    sections: tuple[Section, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    warnings: tuple[Flaw, ...] = ()
