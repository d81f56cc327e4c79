"""Epics against their stories."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from worker.artifacts.model import Artifact, Status
from worker.conflicts.base import Group, Rule, evidence, finding
from worker.conflicts.model import Evidence, Finding
from worker.conflicts.rules.places import root_of
from worker.conflicts.rules.remembering import remembered
from worker.conflicts.rules.states import TERMINAL, is_open, state

_LEAST_STORIES = 2


@dataclass(frozen=True)
class _Line:
    """Something with a state, and where it says so."""

    id: str
    status: Status
    evidence: Evidence


@dataclass(frozen=True)
class _Epic:
    """An epic and its stories, as one tracker or one folder of documents has them."""

    line: _Line
    stories: list[_Line]


def _keys(artifact: Artifact) -> Iterator[str]:
    if artifact.kind == "sprint-status":
        targets = (entry.target for entry in artifact.entries if entry.kind == "epic")
        yield from (f"epic:{target}" for target in dict.fromkeys(targets) if target)
    elif artifact.kind in ("epic", "story") and artifact.epic and state(artifact.status):
        yield f"epic:{artifact.epic}"


def _check_done(group: Group) -> Iterator[Finding]:
    for epic in _epics(group):
        if state(epic.line.status) != "done":
            continue
        for story in epic.stories:
            if is_open(story.status):
                yield _open_story(group, epic, story)


def _open_story(group: Group, epic: _Epic, story: _Line) -> Finding:
    return finding(
        EPIC_DONE,
        group,
        message=f"Epic {epic.line.id} is done, but its story {story.id} is "
        f"{_first(story.status)!r}. Finish or move the story, or reopen the epic.",
        expected=f"story {story.id} done, cancelled, deferred or moved",
        actual=story.status.raw,
        evidence=[epic.line.evidence, story.evidence],
    )


def _check_open(group: Group) -> Iterator[Finding]:
    for epic in _epics(group):
        states = {state(story.status) for story in epic.stories}
        over = "done" in states and states <= TERMINAL
        if is_open(epic.line.status) and over and len(epic.stories) >= _LEAST_STORIES:
            yield finding(
                EPIC_OPEN,
                group,
                message=f"All {len(epic.stories)} stories of epic {epic.line.id} are finished, "
                f"but it is still {_first(epic.line.status)!r}.",
                expected="done",
                actual=epic.line.status.raw,
                evidence=[epic.line.evidence, epic.stories[-1].evidence],
            )


def _epics(group: Group) -> Iterator[_Epic]:
    number = group.key.partition(":")[2]
    for member in group.members:
        if member.kind == "sprint-status":
            yield _tracked(member)[number]
        elif member.kind == "epic" and member.status:
            line = _Line(number, member.status, _stated(member, member.status))
            yield _Epic(line, _beside(group, member))


@remembered
def _tracked(tracker: Artifact) -> Mapping[str, _Epic]:
    """The first line of each epic, with the stories below it that have its number."""
    epics: dict[str, _Epic] = {}
    epic: _Epic | None = None
    for entry in tracker.entries:
        quote = f"{entry.key}: {entry.status.raw}"
        line = _Line(entry.target or "", entry.status, evidence(tracker, entry.line, quote))
        if entry.kind == "epic":
            epic = _Epic(line, [])
            epics.setdefault(line.id, epic)
        elif epic and entry.kind == "story" and line.id.startswith(f"{epic.line.id}."):
            epic.stories.append(line)
    return epics


def _beside(group: Group, epic: Artifact) -> list[_Line]:
    """The stories of the same tree of folders; none where two epics claim the number there."""
    root = root_of(epic.path)
    here = [member for member in group.members if root_of(member.path) == root]
    if sum(member.kind == "epic" for member in here) > 1:
        return []
    stories = (member for member in here if member.kind == "story")
    return [_Line(s.id, s.status, _stated(s, s.status)) for s in stories if s.status]


def _stated(artifact: Artifact, status: Status) -> Evidence:
    return evidence(artifact, status.line, status.raw)


def _first(status: Status) -> str:
    return status.raw.partition("\n")[0]


EPIC_DONE = Rule(
    code="Y2",
    name="done-epic-with-open-story",
    severity="error",
    confidence="high",
    summary="An epic is done while one of its stories is not.",
    keys=_keys,
    check=_check_done,
)
EPIC_OPEN = Rule(
    code="Y5",
    name="open-epic-with-finished-stories",
    severity="info",
    confidence="medium",
    summary="All stories of an epic are finished, the epic itself is not.",
    keys=_keys,
    check=_check_open,
)
RULES = (EPIC_DONE, EPIC_OPEN)
