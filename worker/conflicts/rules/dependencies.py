"""What has to come first: missing, unfinished, or in a circle."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from worker.artifacts.model import Artifact, Reference
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Finding
from worker.conflicts.rules.cycles import cycles
from worker.conflicts.rules.kinds import is_story
from worker.conflicts.rules.places import nearest, root_of
from worker.conflicts.rules.referring import (
    called,
    defined_in,
    is_numbered_story,
    own_key,
    quoted,
    reference_key,
    told_of,
)
from worker.conflicts.rules.states import is_done, is_open, state

_TOLD = re.compile(
    r"\W*(?:depend(?:s|ent|enc(?:y|ies))|prerequisites?|requires?|blocked by|needs)\b",
    re.IGNORECASE,
)
_OTHER_WAY = re.compile(
    r"\b(?:blocks?|blocking|blocked stories|unblocks?|enables?|enabling|required (?:by|for)"
    r"|needed (?:by|for)"
    r"|used by|consumed by|downstream|successors?|followed by|follow[- ]?ups?|next|future|later"
    r"|prerequisites? (?:for|of)|foundation for|supports?|optional(?:ly)?|related|parallel|after"
    r"|independent|not? (?:depend|block|require)\w*|none|can (?:start|run|be)|feeds?|will"
    r"|tech[- ]spec\w*|see|references?|prepares?|leads? to|extended (?:by|in)|integrat\w+|soft)\b",
    re.IGNORECASE,
)
Needs = Callable[[Artifact], Iterable[Reference]]

_FINAL = frozenset({"final", "accepted", "implemented", "active"})
_DEAD = frozenset({"stagnant", "withdrawn", "rejected", "expired"})


def _needs(artifact: Artifact) -> Iterator[Reference]:
    """The dependencies that are certainly such: not what the document itself makes possible."""
    for reference in artifact.dependencies:
        sure = reference.kind in ("adr", "proposal") or is_numbered_story(reference)
        if sure and not _OTHER_WAY.search(_context(artifact, reference)):
            yield reference


def _context(artifact: Artifact, reference: Reference) -> str:
    if artifact.kind == "proposal":
        return ""
    above = [section.title for section in artifact.sections if section.line < reference.line]
    return f"{above[-1] if above else ''} {reference.quote}"


def _hard_needs(artifact: Artifact) -> Iterator[Reference]:
    """Those of which the order is certain too: the line says so, or it names earlier work."""
    for need in _needs(artifact):
        own = _in_order(artifact.story or artifact.id)
        if need.kind != "story" or _TOLD.match(need.quote) or _in_order(need.target) < own:
            yield need


def _in_order(identifier: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", identifier)]


def _missing_keys(artifact: Artifact) -> Iterator[str]:
    yield own_key(artifact)
    yield from told_of(artifact)
    yield from map(reference_key, _looked_for(artifact))


def _looked_for(artifact: Artifact) -> Iterator[Reference]:
    """Decisions may be part of any document, and lists of epics speak of their own stories."""
    if artifact.kind in ("story", "proposal"):
        yield from (need for need in _needs(artifact) if need.kind == artifact.kind)


def _check_missing(group: Group) -> Iterator[Finding]:
    if defined_in(group) or any(group.key in told_of(member) for member in group.members):
        return
    for artifact, reference in _referring(group, _looked_for):
        yield finding(
            MISSING,
            group,
            message=f"{artifact.id} depends on {called(reference)}, which no document here is or "
            "names. Correct the number, or add what is missing.",
            expected=f"{called(reference)} among the documents",
            actual="none",
            evidence=[quoted(artifact, reference)],
        )


def _unfinished_keys(artifact: Artifact) -> Iterator[str]:
    if is_story(artifact) and state(artifact.status):
        yield own_key(artifact)
        if is_done(artifact) and artifact.identity.in_file:
            stories = (need for need in _hard_needs(artifact) if need.kind == "story")
            yield from map(reference_key, stories)


def _check_unfinished(group: Group) -> Iterator[Finding]:
    stories = defined_in(group)
    for artifact, reference in _referring(group, _hard_needs):
        here = [story for story in stories if root_of(story.path) == root_of(artifact.path)]
        needed = nearest(artifact.path, here)
        if is_done(artifact) and needed and needed.status and is_open(needed.status):
            yield finding(
                UNFINISHED,
                group,
                message=f"Story {artifact.id} is done, but story {needed.id} that it depends on "
                f"is {needed.status.raw!r}.",
                expected=f"story {needed.id} done",
                actual=needed.status.raw,
                evidence=[
                    quoted(artifact, reference),
                    evidence(needed, needed.status.line, needed.status.raw),
                ],
            )


def _dead_keys(artifact: Artifact) -> Iterator[str]:
    if artifact.kind == "proposal" and state(artifact.status):
        yield own_key(artifact)
        if state(artifact.status) in _FINAL:
            yield from map(reference_key, artifact.dependencies)


def _check_dead(group: Group) -> Iterator[Finding]:
    needed = next(iter(defined_in(group)), None)
    if needed is None or needed.status is None or state(needed.status) not in _DEAD:
        return
    for artifact, reference in _referring(group):
        if state(artifact.status) in _FINAL:
            yield finding(
                DEAD,
                group,
                message=f"{artifact.id} is {state(artifact.status)}, but requires {needed.id}, "
                f"which is {needed.status.raw!r}.",
                expected=f"{needed.id} in force",
                actual=needed.status.raw,
                evidence=[
                    quoted(artifact, reference),
                    evidence(needed, needed.status.line, needed.status.raw),
                ],
            )


def _referring(group: Group, needs: Needs = _needs) -> Iterator[tuple[Artifact, Reference]]:
    for artifact in group.members:
        for reference in needs(artifact):
            if reference_key(reference) == group.key and own_key(artifact) != group.key:
                yield artifact, reference


def _cycle_keys(artifact: Artifact) -> Iterator[str]:
    """Stories are compared within their epic, and in pairs across epics; the rest by kind."""
    own, root = own_key(artifact), root_of(artifact.path)
    for need in _hard_needs(artifact):
        if artifact.kind == "proposal":
            yield f"dependencies:{artifact.subtype}"
        elif _is_inside(artifact, need):
            yield f"dependencies:{root}:epic:{artifact.epic}"
        else:
            one, other = sorted((own, reference_key(need)))
            yield f"dependencies:{root}:{one}+{other}"


def _is_inside(artifact: Artifact, need: Reference) -> bool:
    return artifact.epic is not None and need.target.startswith(f"{artifact.epic}.")


def _check_cycles(group: Group) -> Iterator[Finding]:
    """Each knot of documents that wait for each other, told once, by its first circle."""
    nodes = _unambiguous(group.members)
    edges = {
        name: [
            r for r in _hard_needs(node) if reference_key(r) in nodes and reference_key(r) != name
        ]
        for name, node in nodes.items()
    }
    graph = {name: [reference_key(edge) for edge in found] for name, found in edges.items()}
    for circle in cycles(graph):
        following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
        sides = [
            quoted(nodes[name], next(e for e in edges[name] if reference_key(e) == target))
            for name, target in following.items()
        ]
        ids = [nodes[name].id for name in circle]
        yield finding(
            CYCLE,
            group,
            message=f"{' needs '.join([*ids, ids[0]])}: none of them can come first. Take one "
            "of these dependencies away.",
            expected="an order in which they can be done",
            actual="a circle",
            evidence=sides,
        )


def _unambiguous(members: Sequence[Artifact]) -> dict[str, Artifact]:
    """The documents by key, but for those that share one: nobody knows which is meant."""
    counts = Counter(map(own_key, members))
    return {own_key(member): member for member in members if counts[own_key(member)] == 1}


MISSING = Rule(
    code="P1",
    name="dependency-missing",
    severity="warning",
    confidence="medium",
    summary="A document depends on one that does not exist.",
    keys=_missing_keys,
    check=_check_missing,
)
UNFINISHED = Rule(
    code="P2",
    name="done-before-its-dependency",
    severity="warning",
    confidence="medium",
    summary="A story is done while one that it depends on is not.",
    keys=_unfinished_keys,
    check=_check_unfinished,
)
CYCLE = Rule(
    code="P3",
    name="dependency-cycle",
    severity="error",
    confidence="high",
    summary="Documents depend on each other in a circle.",
    keys=_cycle_keys,
    check=_check_cycles,
)
DEAD = Rule(
    code="R4",
    name="final-requires-dead",
    severity="warning",
    confidence="high",
    summary="A proposal in force requires one that is stagnant, withdrawn or rejected.",
    keys=_dead_keys,
    check=_check_dead,
)
RULES = (MISSING, UNFINISHED, CYCLE, DEAD)
