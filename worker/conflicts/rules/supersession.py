"""Decisions and proposals that replace each other: both sides have to know."""

import re
from collections.abc import Iterator, Sequence

from worker.artifacts.model import Artifact, Reference
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Evidence, Finding
from worker.conflicts.rules.places import nearest
from worker.conflicts.rules.referring import defined_in, own_key, quoted, reference_key
from worker.conflicts.rules.states import state

_KINDS = ("adr", "proposal")
_IN_FORCE = frozenset({"accepted", "implementing", "implemented", "active", "final"})
_NOT_YET = frozenset(
    {"draft", "proposed", "review", "rejected", "withdrawn", "deferred", "returned", "expired",
     "stagnant"}
)  # fmt: skip
_REPLACED = frozenset({"superseded", "deprecated"})
_TEMPLATE = re.compile(r"sig-([a-z])\1\1|\b(?:placeholder|example|tbd|n/a|none)\b|xxx", re.I)
_NAMED = re.compile(
    r"\bADR\b|\]\("
    r"|(?:super[sc]edes?|super[sc]eded[ -]by|replaces|replaced[ -]by)\W{0,6}#?\d+(?![\w.])",
    re.IGNORECASE,
)
_IN_PART = re.compile(r"\b(?:part(?:s|ly|ially)?|section|amend|extend|some|aspect)", re.IGNORECASE)


def _keys(artifact: Artifact) -> Iterator[str]:
    if artifact.kind in _KINDS:
        yield own_key(artifact)
        stated = (*artifact.supersedes, *artifact.superseded_by)
        yield from (reference_key(reference) for reference in stated if _is_certain(reference))


def _is_certain(reference: Reference) -> bool:
    """Whether a decision is named as one: by link, by its word, or by a number right away."""
    return reference.kind != "adr" or _NAMED.search(reference.quote) is not None


def _check_missing(group: Group) -> Iterator[Finding]:
    if defined_in(group):
        return
    for artifact in group.members:
        for reference in _naming(group, (*artifact.supersedes, *artifact.superseded_by)):
            if _TEMPLATE.search(reference.quote):
                continue
            yield finding(
                MISSING,
                group,
                severity="error" if reference in artifact.superseded_by else "warning",
                message=f"{artifact.id} names {reference.target}, which is not there. Correct "
                "the reference, or bring the document back.",
                expected=f"a document {reference.target}",
                actual="none",
                evidence=[quoted(artifact, reference)],
            )


def _check_still_in_force(group: Group) -> Iterator[Finding]:
    """The group's document is said to be replaced, but speaks as if it were in force."""
    for newer in group.members:
        for reference in _naming(group, newer.supersedes):
            older = nearest(newer.path, defined_in(group))
            if older and not _knows(older, newer) and not _IN_PART.search(reference.quote):
                yield from _in_force(group, newer, reference, older)


def _in_force(
    group: Group, newer: Artifact, reference: Reference, older: Artifact
) -> Iterator[Finding]:
    if state(newer.status) in _IN_FORCE and older.status and state(older.status) in _IN_FORCE:
        yield finding(
            STILL_IN_FORCE,
            group,
            message=f"{newer.id} supersedes {older.id}, which still calls itself "
            f"{_first(older.status.raw)!r} and does not name its successor.",
            expected=f"superseded by {newer.id}",
            actual=older.status.raw,
            evidence=[
                quoted(newer, reference),
                evidence(older, older.status.line, older.status.raw),
            ],
        )


def _check_too_early(group: Group) -> Iterator[Finding]:
    """The group's document is named as a successor, but is not (or not yet) in force."""
    for older in group.members:
        for reference in _naming(group, older.superseded_by):
            newer = nearest(older.path, defined_in(group))
            ended = state(older.status) in _IN_FORCE | _REPLACED
            if ended and newer and newer.status and state(newer.status) in _NOT_YET:
                yield finding(
                    NOT_IN_FORCE,
                    group,
                    message=f"{older.id} is superseded by {newer.id}, which is only "
                    f"{_first(newer.status.raw)!r}: neither of them is in force.",
                    expected=f"{newer.id} accepted",
                    actual=newer.status.raw,
                    evidence=[
                        quoted(older, reference),
                        evidence(newer, newer.status.line, newer.status.raw),
                    ],
                )


def _check_one_way(group: Group) -> Iterator[Finding]:
    for older in group.members:
        for reference in _naming(group, older.superseded_by):
            newer = nearest(older.path, defined_in(group))
            if newer and not any(reference_key(r) == own_key(older) for r in newer.supersedes):
                yield finding(
                    ONE_WAY,
                    group,
                    message=f"{older.id} says that {newer.id} supersedes it; {newer.id} does not "
                    "say so.",
                    expected=f"supersedes {older.id}",
                    actual="nothing about it",
                    evidence=[quoted(older, reference), _head(newer)],
                )


def _check_without_successor(group: Group) -> Iterator[Finding]:
    named = any(list(_naming(group, member.supersedes)) for member in group.members)
    for artifact in () if named else defined_in(group):
        status = artifact.status
        if status and state(status) == "superseded" and not artifact.superseded_by:
            yield finding(
                NO_SUCCESSOR,
                group,
                message=f"{artifact.id} is superseded, but has no reference to what replaced it.",
                expected="superseded by a named document",
                actual=status.raw,
                evidence=[evidence(artifact, status.line, status.raw)],
            )


def _naming(group: Group, references: Sequence[Reference]) -> list[Reference]:
    named = (reference for reference in references if _is_certain(reference))
    return [reference for reference in named if reference_key(reference) == group.key]


def _knows(older: Artifact, newer: Artifact) -> bool:
    named = any(reference_key(r) == own_key(newer) for r in older.superseded_by)
    return named or state(older.status) in _REPLACED


def _head(artifact: Artifact) -> Evidence:
    status = artifact.status
    return evidence(artifact, status.line if status else 1, status.raw if status else "")


def _first(raw: str) -> str:
    return raw.partition("\n")[0]


MISSING = Rule(
    code="R1",
    name="supersession-target-missing",
    severity="error",
    confidence="high",
    summary="A decision or proposal replaces, or is replaced by, one that does not exist.",
    keys=_keys,
    check=_check_missing,
)
STILL_IN_FORCE = Rule(
    code="R2",
    name="superseded-but-in-force",
    severity="warning",
    confidence="high",
    summary="A document is superseded by another, and does not know it.",
    keys=_keys,
    check=_check_still_in_force,
)
NOT_IN_FORCE = Rule(
    code="R2b",
    name="superseded-too-early",
    severity="warning",
    confidence="high",
    summary="A document is superseded by one that is not in force.",
    keys=_keys,
    check=_check_too_early,
)
ONE_WAY = Rule(
    code="R2c",
    name="supersession-told-once",
    severity="info",
    confidence="high",
    summary="A document names its successor, which does not name it.",
    keys=_keys,
    check=_check_one_way,
)
NO_SUCCESSOR = Rule(
    code="R3",
    name="superseded-by-nothing",
    severity="warning",
    confidence="high",
    summary="A document is superseded without a reference to its successor.",
    keys=_keys,
    check=_check_without_successor,
)
RULES = (MISSING, STILL_IN_FORCE, NOT_IN_FORCE, ONE_WAY, NO_SUCCESSOR)
