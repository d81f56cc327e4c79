"""Numbers of decisions and proposals: used twice, or left out."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from worker.artifacts.model import Artifact
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding
from worker.conflicts.rules.places import folder_key
from worker.conflicts.rules.referring import own_key

_LEAST_NUMBERED = 5
_SHOWN = 10


def _numbered(artifact: Artifact) -> Iterator[str]:
    if artifact.kind == "adr" and artifact.identity.in_file:
        yield folder_key(artifact.path, f"number:{artifact.identity.in_file}")
    elif artifact.kind == "proposal":
        yield own_key(artifact)


def _series(artifact: Artifact) -> Iterator[str]:
    if artifact.kind == "adr" and (artifact.identity.in_file or "").isdigit():
        yield folder_key(artifact.path, "numbers")


def _check_twice(group: Group) -> Iterator[Finding]:
    if len(group.members) < 2:
        return
    number = group.members[0].identity.in_file or group.members[0].id
    names = ", ".join(member.path for member in group.members)
    yield finding(
        TWICE,
        group,
        message=f"{len(group.members)} documents have number {number}: {names}. "
        "Give the later one the next free number.",
        expected=f"one document {number}",
        actual=f"{len(group.members)}",
        evidence=[evidence(member, member.identity.line, member.title) for member in group.members],
    )


def _check_gaps(group: Group) -> Iterator[Finding]:
    numbers = sorted({int(member.identity.in_file or 0) for member in group.members})
    missing = _missing(numbers)
    if missing and len(numbers) >= _LEAST_NUMBERED:
        last = max(group.members, key=lambda member: int(member.identity.in_file or 0))
        shown = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        yield finding(
            GAPS,
            group,
            message=f"Numbers are left out between {numbers[0]} and {numbers[-1]}: {shown}.",
            evidence=[evidence(last, last.identity.line, last.title)],
        )


def _missing(numbers: Sequence[int]) -> list[int]:
    return [between for one, other in pairwise(numbers) for between in range(one + 1, other)]


TWICE = Rule(
    code="N1",
    name="number-twice",
    severity="error",
    confidence="high",
    summary="Two decisions of a folder, or two proposals, have one number.",
    keys=_numbered,
    check=_check_twice,
)
GAPS = Rule(
    code="N2",
    name="numbers-left-out",
    severity="info",
    confidence="high",
    summary="The numbers of a folder's decisions have gaps.",
    keys=_series,
    check=_check_gaps,
)
RULES = (TWICE, GAPS)
