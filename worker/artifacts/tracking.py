"""Keys and headings that track other work, as entries: "1-2-sign-in", "epic-3", "Story 1.2: …"."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from worker.artifacts import ids, status
from worker.artifacts.markdown import Document, Heading
from worker.artifacts.model import Entry, Status
from worker.artifacts.status import Vocabulary
from worker.artifacts.text import MAX_ITEMS

Kind = Literal["epic", "story", "retrospective", "action"]
VOCABULARIES: dict[Kind, Vocabulary] = {
    "epic": status.EPIC,
    "story": status.STORY,
    "retrospective": status.RETROSPECTIVE,
    "action": status.STORY,
}
_EPIC_KEY = re.compile(
    r"epic[-_. ]?((?:[a-z]{1,4}-)?\d{1,4}[a-z]?(?:[-.]\d{1,4}[a-z]?)?)(?![a-z0-9])"
)
_PREFIXED_EPIC = re.compile(r"([a-z]{1,4}-\d{1,4}|\d{1,4}[a-z]?)$")
_ACTION = re.compile(r"(?:^|[-_.])action(?:-items?)?-\d{1,4}$")
_RETROSPECTIVE = re.compile(r"[-_. ]?retro(?:spective)?$")
_EPIC_HEADING = re.compile(r"\W{0,4}epic\b", re.IGNORECASE)
_STORY_HEADING = re.compile(r"\W{0,4}(?:user )?story\b", re.IGNORECASE)


def identify(key: str, *, action: bool = False) -> tuple[Kind, str | None]:
    """What a key of a sprint status stands for, and the bare id that it names."""
    name = key.strip().lower()
    if action or _ACTION.search(name):
        return "action", None
    if retrospective := _RETROSPECTIVE.search(name):
        return "retrospective", _epic(name[: retrospective.start()])
    if epic := _epic(name):
        return "epic", epic
    return "story", ids.story_in_file(name.removeprefix("story-"))


def entry(key: str, raw: str, line: int, *, action: bool = False) -> Entry:
    """The entry of a key and its status."""
    kind, target = identify(key, action=action)
    state = status.read(raw, line, VOCABULARIES[kind])
    return Entry(key=key, kind=kind, target=target, status=state, line=line)


def headings(document: Document) -> tuple[Entry, ...]:
    """The epics and stories that have a heading of their own; a `raw` of "" is not stated."""
    return tuple(islice(_headings(document), MAX_ITEMS))


def _headings(document: Document) -> Iterator[Entry]:
    statuses = list(document.fields.get("status", ()))
    lines = [field.line for field in statuses]
    for index, heading in enumerate(document.headings):
        found = _of_heading(heading)
        if not found or (index == 0 and heading.level == 1):
            continue
        kind, target = found
        following = document.headings[index + 1 : index + 2]
        end = following[0].line if following else len(document.lines) + 1
        at = bisect_left(lines, heading.line)
        stated = statuses[at] if at < len(lines) and lines[at] < end else None
        raw, line = (stated.value, stated.line) if stated else ("", heading.line)
        state = Status(raw=raw, normalized=status.normalize(raw, VOCABULARIES[kind]), line=line)
        key = heading.title.partition(":")[0]
        yield Entry(key=key, kind=kind, target=target, status=state, line=heading.line)


def _of_heading(heading: Heading) -> tuple[Kind, str] | None:
    if _STORY_HEADING.match(heading.title):
        story = ids.story_in_heading(heading.title)[0]
        return ("story", story) if story else None
    if _EPIC_HEADING.match(heading.title):
        epic = ids.epic_number(heading.title)
        return ("epic", epic) if epic else None
    return None


def _epic(name: str) -> str | None:
    match = _EPIC_KEY.match(name) or _PREFIXED_EPIC.match(name)
    return ids.normalize(match[1]) if match else None
