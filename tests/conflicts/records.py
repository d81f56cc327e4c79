"""Small records, and rules of the tests' own to compare them by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.artifacts.model import Artifact, Link, Status, Suppression
from worker.conflicts.base import (
    Group,
    Rule,
    evidence,
    finding,
    name_key,
    path_key,
    story_key,
)
from worker.conflicts.model import Evidence, Finding
from worker.conflicts.world import TreeWorld

EMPTY = TreeWorld((), None, {})


def story(path: str, status: str = "done", line: int = 3, **more: Any) -> Artifact:
    """A story, known by the stem of its path."""
    name = path.rpartition("/")[2].removesuffix(".md")
    base: dict[str, Any] = {
        "id": name, "kind": "story", "subtype": "bmad4", "path": path, "blob_sha": "b10b",
        "title": name, "story": name,
        "status": Status(raw=status, normalized=status, line=line),
    }  # fmt: skip
    return Artifact.model_validate(base | more)


def allowing(code: str, reason: str = "agreed") -> tuple[Suppression, ...]:
    return (Suppression(code=code, reason=reason, line=9),)


def linking(*targets: str) -> tuple[Link, ...]:
    return tuple(Link(target=t, anchor=None, line=n) for n, t in enumerate(targets, 10))


def side(quote: str, document: str = "1.1", line: int = 1, path: str = "a.md") -> Evidence:
    return Evidence(path=path, blob_sha="b10b", id=document, line=line, quote=quote)


def _story_keys(artifact: Artifact) -> Iterator[str]:
    if artifact.story:
        yield story_key(artifact.story)


def _disagreeing(group: Group) -> Iterator[Finding]:
    first, *others = group.members
    for other in others:
        if first.status and other.status and first.status.raw != other.status.raw:
            sides = [evidence(a, a.status.line, a.status.raw) for a in (first, other) if a.status]
            yield finding(DISAGREEING, group, message="two states of a story", evidence=sides)


DISAGREEING = Rule(
    "T1", "two-states", "error", "high", "A story has two states.", _story_keys, _disagreeing
)


def _link_keys(artifact: Artifact) -> Iterator[str]:
    for link in artifact.links:
        yield path_key(link.target)
        yield name_key(link.target.rpartition("/")[2])


def _missing(group: Group) -> Iterator[Finding]:
    kind, _, target = group.key.partition(":")
    if kind != "path" or group.world.exists(target):
        return
    for artifact in group.members:
        for link in artifact.links:
            if link.target == target:
                quote = [evidence(artifact, link.line, f"see {target}")]
                yield finding(MISSING, group, message=f"no {target}", evidence=quote)


MISSING = Rule(
    "T2", "missing-target", "warning", "high", "A link leads nowhere.", _link_keys, _missing
)
RULES = (DISAGREEING, MISSING)


@dataclass
class Seen:
    """A rule that notes which groups it was asked about."""

    groups: list[tuple[str, list[str]]] = field(default_factory=list)

    def rules(self) -> Sequence[Rule]:
        return (Rule("T3", "noting", "info", "low", "Notes.", _story_keys, self._note),)

    def _note(self, group: Group) -> Iterable[Finding]:
        self.groups.append((group.key, [member.path for member in group.members]))
        return ()
