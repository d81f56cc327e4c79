"""Retrospectives of an epic or a sprint, with the actions they agreed on."""

import re

from worker.artifacts import header, status, tasks
from worker.artifacts.families import work_notes
from worker.artifacts.families.records import record
from worker.artifacts.ids import slug
from worker.artifacts.markdown import scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"retrospectives", "retros"})
_NAME = re.compile(
    r"(?:epic|sprint)[\w.-]*[-_.]retro(?:spective)?s?\b|retro(?:spective)?s?[-_.](?:\d|epic|sprint|[a-z]"
    r"{1,4}-\d)|[a-z]{1,4}-\d{1,4}-retro(?:spective)?\.md$|[\w.-]*-retrospective(?:-\d[\w.-]*)?\.md$"
)
_KEYS = work_notes.KEYS | {"facilitator"}
_STORIES = frozenset({"stories", "user-stories", "story"})


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest in _FOLDERS:
        return True
    return "retro" in name and _NAME.match(name) is not None and not folder.is_under(_STORIES)


def identify(stem: str) -> str:
    return slug(stem)


def read(source: Source) -> Artifact | None:
    """The retrospective; None for templates and what has no heading."""
    document = scan(source.text, _KEYS)
    title = header.title(document)
    if title is None or "template" in source.stem:
        return None
    return record(
        source,
        document,
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="retrospective",
        title=title.title,
        status=header.read_status(document, None, status.RETROSPECTIVE),
        epic=work_notes.epic(source, document),
        owner=header.value(document, "facilitator") or header.owner(document),
        dates=header.dates(document),
        tasks=tasks.read(document, tasks.ACTIONS),
    )


FAMILY = Family("retrospective", (".md",), claims, read, identify)
