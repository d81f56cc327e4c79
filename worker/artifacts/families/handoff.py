"""Handoffs: what one worker left to the next."""

import re

from worker.artifacts import files, header, status, tasks
from worker.artifacts.families import work_notes
from worker.artifacts.families.records import record
from worker.artifacts.ids import slug
from worker.artifacts.markdown import scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"handoffs", "agent-handoffs", "session-handoffs", "handovers"})
_NAME = re.compile(r"(?:^|[-_.])hand-?(?:off|over)s?(?=[-_.]|$)")

_STORY = re.compile(r"\d{1,4}[.-]\d{1,4}[a-z]?[.-]")


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest in _FOLDERS:
        return True
    return "hand" in name and _NAME.search(name) is not None and not _STORY.match(name)


def identify(stem: str) -> str:
    return slug(stem)


def read(source: Source) -> Artifact | None:
    """The handoff; None for templates and what has no heading."""
    document = scan(source.text, work_notes.KEYS)
    title = header.title(document)
    if title is None or "template" in source.stem:
        return None
    epic, story = work_notes.about(source, document)
    return record(
        source,
        document,
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="handoff",
        title=title.title,
        status=header.read_status(document, None, status.DOCUMENT),
        epic=epic,
        story=story,
        owner=header.owner(document),
        dates=header.dates(document),
        tasks=tasks.read(document, tasks.ACTIONS),
        files=files.read(document),
    )


FAMILY = Family("handoff", (".md",), claims, read, identify)
