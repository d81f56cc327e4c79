"""Milestones: what has to be there by when."""

import re

from worker.artifacts import change_log, header, ids, references, status, tasks, tracking
from worker.artifacts.families.records import record
from worker.artifacts.markdown import scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"milestones"})
_NAME = re.compile(r"milestones?(?:[-_. ]?v?\d|[-_.])")
_NOT_ONE = re.compile(r"template|retro|summary|report|audit|checklist")
_NUMBER = re.compile(r"(?:^|milestone[-_. ]?|\bm)v?(\d{1,4}(?:[.-]\d{1,3}){0,2})(?![\w])", re.I)
_ACCEPTANCE = ("target date", "due", "due date", "deadline")
_KEYS = header.KEYS | references.KEYS | {*_ACCEPTANCE}


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest in _FOLDERS:
        return True
    return name.startswith("milestone") and _NAME.match(name) is not None


def identify(stem: str) -> str:
    number = _NUMBER.search(stem)
    return f"milestone-{ids.normalize(number[1])}" if number else ids.slug(stem)


def read(source: Source) -> Artifact | None:
    """The milestone; None for reports about one."""
    if _NOT_ONE.search(source.stem):
        return None
    document = scan(source.text, _KEYS)
    title = header.title(document)
    if title is None:
        return None
    return record(
        source,
        document,
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="milestone",
        title=title.title,
        status=header.read_status(document, source.text, status.EPIC),
        owner=header.owner(document),
        dates=header.dates(document),
        tasks=tasks.read(document, tasks.DELIVERABLES),
        dependencies=references.dependencies(document),
        change_log=change_log.read(document),
        entries=tracking.headings(document),
    )


FAMILY = Family("milestone", (".md",), claims, read, identify)
