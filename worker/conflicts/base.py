"""What a rule is, what it may look at, and how it says what it found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.artifacts.model import Artifact
from worker.artifacts.strings import quoted
from worker.conflicts.fingerprints import fingerprint
from worker.conflicts.model import Confidence, Evidence, Finding, Fix, Severity

REPOSITORY = "repo"
"""The key of what is said once for a whole repository."""


@dataclass(frozen=True, slots=True)
class OwnVerdict:
    """How a check that was run here ended; `finished_at` is ISO 8601."""

    gate_type: str
    verdict: str
    commit_sha: str
    finished_at: str


class World(Protocol):
    """What is around the documents. Each question has a key, which a rule that asks must give."""

    def exists(self, path: str) -> bool:
        """Whether a file or folder is in the tree; asked under `path_key(path)`."""
        ...

    def named(self, basename: str) -> Sequence[str]:
        """Paths of files of that name, whatever its case, sorted; under `name_key(basename)`."""
        ...

    def ever_existed(self, path: str) -> bool | None:
        """Whether a file was there in any commit so far; None: not known; `path_key(path)`."""
        ...

    def ignored(self, path: str) -> bool | None:
        """Whether it is meant to stay out of the tree; None: not known. Needs no key."""
        ...

    def verdicts(self, story: str) -> Sequence[OwnVerdict]:
        """The newest of each type of check for a story; under `story_key(story)`."""
        ...


@dataclass(frozen=True)
class Group:
    """All documents that gave `key` to a rule, by path; a rule sees nothing else but the world."""

    key: str
    members: Sequence[Artifact]
    world: World


@dataclass(frozen=True)
class Rule:
    """`keys` says in which groups a document takes part, `check` what is wrong in one group."""

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    summary: str
    keys: Callable[[Artifact], Iterable[str]]
    check: Callable[[Group], Iterable[Finding]]


def story_key(story: str) -> str:
    """The key of all that concerns a story, its verdicts included."""
    return f"story:{story}"


def path_key(path: str) -> str:
    """The key of a path that is, was or should be there."""
    return f"path:{path}"


def name_key(basename: str) -> str:
    """The key of all files of one name; case differences apart."""
    return f"name:{basename.lower()}"


def evidence(artifact: Artifact, line: int, quote: str, end_line: int | None = None) -> Evidence:
    """One side of a finding; its words are cut where they are long."""
    return Evidence(
        path=artifact.path, blob_sha=artifact.blob_sha, id=artifact.id, line=line,
        end_line=end_line, quote=quoted(quote),
    )  # fmt: skip


def finding(
    rule: Rule,
    group: Group,
    *,
    message: str,
    evidence: Sequence[Evidence],
    expected: str | None = None,
    actual: str | None = None,
    fix: Fix | None = None,
    severity: Severity | None = None,
    confidence: Confidence | None = None,
) -> Finding:
    """What the rule found in the group; severity and confidence are the rule's unless given."""
    return Finding(
        code=rule.code, name=rule.name, severity=severity or rule.severity,
        confidence=confidence or rule.confidence, key=group.key,
        fingerprint=fingerprint(rule.code, group.key, evidence),
        message=message, expected=expected, actual=actual, evidence=tuple(evidence), fix=fix,
    )  # fmt: skip
