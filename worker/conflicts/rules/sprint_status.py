"""Sprint trackers against the stories they track."""

import re
from collections.abc import Iterator, Mapping, Sequence

from worker.artifacts.model import Artifact, Entry, Status
from worker.conflicts.base import Group, Rule, evidence, finding, story_key
from worker.conflicts.model import Finding, Severity
from worker.conflicts.rules.kinds import is_story, number_in
from worker.conflicts.rules.places import nearest, stem_of
from worker.conflicts.rules.remembering import remembered
from worker.conflicts.rules.states import TERMINAL, state

_COPY = re.compile(r"generated|template|backup|\bold\b|archived?|example")
# Words that different hands use for the same stage of work.
_STAGE = {
    "backlog": "planned",
    "draft": "planned",
    "ready": "planned",
    "deferred": "planned",
    "in-progress": "working",
    "blocked": "working",
    "review": "review",
    "done": "done",
    "cancelled": "given up",
    "deprecated": "given up",
    "moved": "given up",
    "superseded": "given up",
}


@remembered
def _entries(tracker: Artifact) -> Mapping[str, Sequence[Entry]]:
    """The lines about each story, by its key."""
    found: dict[str, list[Entry]] = {}
    kept = tracker.kind == "sprint-status" and not _COPY.search(stem_of(tracker.path))
    for entry in tracker.entries if kept else ():
        if entry.kind == "story" and entry.target:
            found.setdefault(story_key(entry.target), []).append(entry)
    return found


def _keys(artifact: Artifact) -> Iterator[str]:
    yield from _entries(artifact)
    if is_story(artifact) and artifact.story and state(artifact.status):
        yield story_key(artifact.story)


def _check(group: Group) -> Iterator[Finding]:
    stories = [member for member in group.members if member.kind == "story"]
    for tracker in group.members:
        for entry in _entries(tracker).get(group.key, ()):
            story = _tracked(tracker, entry, stories)
            if story and story.status and _disagree(entry.status, story.status):
                yield _finding(group, tracker, entry, story, story.status)


def _tracked(tracker: Artifact, entry: Entry, stories: list[Artifact]) -> Artifact | None:
    """The story's file: its name is the entry's key, else it is the nearest of that number."""
    key = entry.key.lower()
    named = [story for story in stories if stem_of(story.path) == key]
    numbered = [s for s in stories if number_in(stem_of(s.path)) == number_in(key)]
    return nearest(tracker.path, named or numbered)


def _disagree(tracked: Status, written: Status) -> bool:
    one, other = _STAGE.get(state(tracked) or ""), _STAGE.get(state(written) or "")
    return one is not None and other is not None and one != other


def _finding(
    group: Group, tracker: Artifact, entry: Entry, story: Artifact, status: Status
) -> Finding:
    return finding(
        STATUS_DIFFERS,
        group,
        severity=_severity(entry.status, status),
        message=f"The sprint status has story {story.id} as {entry.status.raw!r}, the story itself "
        f"says {status.raw.splitlines()[0]!r}. Bring the one that is behind up to date.",
        expected=f"{entry.status.raw} (the tracker's word)",
        actual=status.raw,
        evidence=[
            evidence(tracker, entry.line, f"{entry.key}: {entry.status.raw}"),
            evidence(story, status.line, status.raw),
        ],
    )


def _severity(tracked: Status, written: Status) -> Severity:
    """Whether work is over is what people rely on; the stages before it are a lesser matter."""
    over = {state(tracked) in TERMINAL, state(written) in TERMINAL}
    return "error" if len(over) == 2 else "warning"


STATUS_DIFFERS = Rule(
    code="Y1",
    name="sprint-status-differs",
    severity="error",
    confidence="high",
    summary="The sprint status and the story's own file give different states.",
    keys=_keys,
    check=_check,
)
RULES = (STATUS_DIFFERS,)
