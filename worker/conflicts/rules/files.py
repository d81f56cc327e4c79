"""Files that stories say they touched, against the tree and against each other."""

import re
from collections.abc import Iterator

from worker.artifacts.model import Artifact, FileClaim
from worker.conflicts.base import Group, Rule, evidence, finding, name_key, path_key
from worker.conflicts.model import Finding
from worker.conflicts.rules.kinds import is_story
from worker.conflicts.rules.places import headings_above, name_of
from worker.conflicts.rules.states import is_done

_UNFILLED = re.compile(r"\.\.\.|x{2,}|yyyy|path/to|your[-_]", re.IGNORECASE)
_SHARED = re.compile(
    r"(?:^|/)(?:index|__init__|mod|lib|package|readme|main|schema)\.\w+$", re.IGNORECASE
)
_NOT_FIRST = re.compile(r"\brelease|deployment|[/-](?:failed|archived?|obsolete|old|abandoned)/")
_PLANNED = re.compile(
    r"\bto (?:be )?(?:create|modif|update|add|change|delete)|plan|propos|expect|suggest|review"
    r"|technical notes|dev notes|implementation guid|design",
    re.IGNORECASE,
)
_FILE = re.compile(r"(?:[\w.@()\[\]+-]+/)+[\w.@()\[\]+-]*\.[A-Za-z]\w{0,9}")


def _claims(artifact: Artifact, name: str = "") -> Iterator[FileClaim]:
    """What a story names as files of the repository, by a whole path, and not as a plan.

    With `name` only what ends with it, in whatever case.
    """
    if is_story(artifact):
        for claim in artifact.files:
            if not claim.path.lower().endswith(name):
                continue
            real = _FILE.fullmatch(claim.path) and not _UNFILLED.search(claim.path)
            above = headings_above(artifact, claim.line) if real else ()
            if real and not any(_PLANNED.search(section.title) for section in above):
                yield claim


def _done_with_files(artifact: Artifact) -> Iterator[str]:
    if is_done(artifact):
        claims = (claim for claim in _claims(artifact) if claim.op != "deleted")
        yield from (name_key(name_of(claim.path)) for claim in claims)


def _creating(artifact: Artifact) -> Iterator[str]:
    """A release lists what others created, and what was given up is created anew."""
    if _NOT_FIRST.search(artifact.path.lower()):
        return
    for claim in _claims(artifact):
        if claim.op == "created" and not _SHARED.search(claim.path):
            yield path_key(_plain(claim.path))


def _plain(path: str) -> str:
    return path.removeprefix("./")


def _check_absent(group: Group) -> Iterator[Finding]:
    name = group.key.partition(":")[2]
    for story in group.members:
        for claim in _claims(story, name):
            key = name_key(name_of(claim.path))
            if key == group.key and claim.op != "deleted" and _is_absent(group, claim):
                yield from _absent(group, story, claim)


def _is_absent(group: Group, claim: FileClaim) -> bool:
    path = _plain(claim.path)
    world = group.world
    return not world.exists(path) and not world.ignored(path) and not _elsewhere(group, path)


def _elsewhere(group: Group, path: str) -> bool:
    """Whether the path is given from some folder below the root."""
    return any(found.endswith(f"/{path}") for found in group.world.named(name_of(path)))


def _absent(group: Group, story: Artifact, claim: FileClaim) -> Iterator[Finding]:
    path = _plain(claim.path)
    existed = group.world.ever_existed(path)
    if existed is None:
        return
    named = group.world.named(name_of(claim.path))
    once = f"was removed{f', or moved to {named[0]}' if len(named) == 1 else ''}"
    yield finding(
        ABSENT,
        group,
        severity="info" if existed or named or group.world.ignored(path) is None else "warning",
        message=f"Story {story.id} is done and lists {claim.path}, which "
        f"{once if existed else 'no commit has ever had'}.",
        expected="a file of the repository",
        actual="absent" if existed else "never there",
        evidence=[evidence(story, claim.line, claim.path)],
    )


def _check_created(group: Group) -> Iterator[Finding]:
    """Two different stories that each say they created the same file."""
    first, *others = group.members
    for other in others:
        if not _is_of_one_piece(first, other):
            one, two = _claim(group, first), _claim(group, other)
            yield finding(
                CREATED_TWICE,
                group,
                message=f"Stories {first.id} and {other.id} both say that they create {one.path}.",
                expected="one story creates it, the other modifies it",
                actual="created twice",
                evidence=[
                    evidence(first, one.line, one.path),
                    evidence(other, two.line, two.path),
                ],
            )


def _is_of_one_piece(one: Artifact, other: Artifact) -> bool:
    """Whether they are copies, or one is a part of the other: "7.2" and "7.2b"."""
    short, long = sorted((one.id, other.id), key=len)
    part = long.startswith(short) and not long[len(short) :][:1].isdigit()
    return part or one.title == other.title


def _claim(group: Group, story: Artifact) -> FileClaim:
    return next(
        claim
        for claim in _claims(story, name_of(group.key).lower())
        if claim.op == "created" and path_key(_plain(claim.path)) == group.key
    )


ABSENT = Rule(
    code="F1",
    name="listed-file-absent",
    severity="warning",
    confidence="medium",
    summary="A done story lists a file that the repository does not have.",
    keys=_done_with_files,
    check=_check_absent,
)
CREATED_TWICE = Rule(
    code="C1",
    name="file-created-twice",
    severity="warning",
    confidence="medium",
    summary="Two stories say that they create the same file.",
    keys=_creating,
    check=_check_created,
)
RULES = (ABSENT, CREATED_TWICE)
