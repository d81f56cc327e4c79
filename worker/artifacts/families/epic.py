"""Epics, one to a file or all in one."""

import re
from bisect import bisect_right

from worker.artifacts import (
    change_log,
    criteria,
    files,
    header,
    ids,
    outline,
    references,
    status,
    tasks,
    tracking,
)
from worker.artifacts.markdown import Document, Heading, scan
from worker.artifacts.model import Artifact, Identity
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import Lines

_NAME = re.compile(r"epics?(?:[-_. ]?\d|[-_.])")
_NOT_EPICS = re.compile(
    r"retro|summary|report|checklist|test-(?:plan|strategy)|tech-spec|-context\b|template"
)
_STORY_HEADING = re.compile(r"(?:user )?stor(?:y|ies)\b")
_LIST_NAME = "epics.md"
_KEYS = header.KEYS | references.KEYS | {*criteria.KEYS}


def claims(folder: Folder, name: str) -> bool:
    if name.endswith(".story.md") or name.startswith("story"):
        return False
    if folder.nearest == "epics":
        return True
    return name.startswith("epic") and (name == _LIST_NAME or _NAME.match(name) is not None)


def identify(stem: str) -> str:
    return "epics" if f"{stem}.md" == _LIST_NAME else f"epic-{ids.epic_in_file(stem)}"


def read(source: Source) -> Artifact | None:
    """The epic, or None for reports about one."""
    if _NOT_EPICS.search(source.stem):
        return None
    document = scan(source.text, _KEYS)
    heading = header.title(document)
    if heading is None and not document.fields:
        return None
    written = heading.title if heading else ""
    is_list = source.name == _LIST_NAME
    identity = Identity() if is_list else _identity(source, heading)
    epic = identity.in_document or identity.in_file
    is_own = _outside_stories(document)
    return Artifact(
        id=f"epic-{epic}" if epic else "epics",
        kind=FAMILY.kind,
        subtype=_subtype(source, is_list),
        path=source.path,
        blob_sha=source.blob_sha,
        title=ids.epic_title(written) or header.value(document, "title") or source.stem,
        identity=identity,
        status=header.read_status(document, source.text, status.EPIC, _first_story(document)),
        epic=epic,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=() if is_list else criteria.read(document, is_own),
        tasks=tasks.read(document),
        links=tuple(document.links),
        dependencies=references.dependencies(document, is_own),
        files=files.read(document),
        entries=tracking.headings(document),
        change_log=change_log.read(document),
        sections=outline.sections(document),
        suppressions=source.suppressions,
        warnings=source.warnings,
    )


def _identity(source: Source, heading: Heading | None) -> Identity:
    """A file named without a number leaves the id to the document."""
    in_file: str | None = ids.epic_in_file(source.stem)
    stated = ids.epic_number(heading.title) if heading else None
    if stated and in_file and not any(map(str.isdigit, in_file)):
        in_file = None
    differ = bool(stated and in_file and stated != in_file)
    return source.identity(in_file, stated, heading.line if heading else 1, differ=differ)


def _subtype(source: Source, is_list: bool) -> str:
    if is_list:
        return "list"
    return "bmad4" if "prd" in source.folder.names else "epic"


def _first_story(document: Document) -> int:
    """Where the epic's stories begin: their statuses are their own."""
    found = (h.line for h in document.headings[1:] if _STORY_HEADING.match(h.key))
    return next(found, header.FAR)


def _outside_stories(document: Document) -> Lines:
    """Whether a line speaks for the epic: what is said of a story does not."""
    starts: list[int] = []
    ends = [0]
    for heading in document.headings[1:]:
        if _STORY_HEADING.match(heading.key) and heading.line >= ends[-1]:
            starts.append(heading.line)
            ends.append(heading.end)
    return lambda line: line >= ends[bisect_right(starts, line)]


FAMILY = Family("epic", (".md",), claims, read, identify)
