"""What a rule finds: one contradiction, with the words of every side; camelCase in JSON."""

from typing import Literal, TypeAlias

from worker.artifacts.model import Record

Severity: TypeAlias = Literal["error", "warning", "info"]
Confidence: TypeAlias = Literal["high", "medium", "low"]


class Evidence(Record):
    """One side of a finding: the line as the document has it. Lines count from 1."""

    path: str
    blob_sha: str
    id: str
    line: int
    end_line: int | None = None
    quote: str


class Fix(Record):
    """A change that is certainly right: `replacement` is the line's new text, or the new path.

    With `original` it takes the place of that part of the line only.
    """

    kind: Literal["edit", "rename"]
    path: str
    line: int | None = None
    replacement: str
    original: str | None = None


class Finding(Record):
    """Something that cannot be true, or should not be.

    `key` names the group of documents that it was found in. `fingerprint` (32 hex digits) stays
    the same while lines move. `suppressed` is the reason that a document gives for its being so.
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    key: str
    fingerprint: str
    message: str
    expected: str | None = None
    actual: str | None = None
    evidence: tuple[Evidence, ...]
    fix: Fix | None = None
    suppressed: str | None = None
