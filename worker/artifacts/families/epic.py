"""Epics, one to a file or all in one."""

import re

from worker.artifacts import criteria, header, ids, references, status, tasks
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_NAME = re.compile(r"epics?(?:[-_. ]?\d|[-_.])")
_NOT_EPICS = re.compile(
    r"retro|summary|report|checklist|test-(?:plan|strategy)|-context\b|template"
)
_STORY_HEADING = re.compile(r"(?:user )?stor(?:y|ies)\b")
_LIST_NAME = "epics.md"
_KEYS = header.KEYS | references.KEYS | {*criteria.KEYS}
_FAR = 1 << 30


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
    epic = None if is_list else _number(source, written)
    return Artifact(
        id=f"epic-{epic}" if epic else "epics",
        kind=FAMILY.kind,
        subtype=_subtype(source, is_list),
        path=source.path,
        blob_sha=source.blob_sha,
        title=ids.epic_title(written) or header.value(document, "title") or source.stem,
        status=header.read_status(document, source.text, status.EPIC, _first_story(document)),
        epic=epic,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=() if is_list else criteria.read(document),
        tasks=tasks.read(document),
        links=tuple(document.links),
        dependencies=references.dependencies(document),
        sections=document.sections(),
        warnings=source.warnings,
    )


def _number(source: Source, title: str) -> str:
    in_file = ids.epic_in_file(source.stem)
    in_heading = ids.epic_number(title)
    if in_heading and in_file[0].isdigit() and in_heading != in_file:
        message = f"the document says epic {in_heading}, its file name {in_file}"
        source.text.flag("id_mismatch", message)
    return in_heading or in_file


def _subtype(source: Source, is_list: bool) -> str:
    if is_list:
        return "list"
    return "bmad4" if "prd" in source.folder.names else "epic"


def _first_story(document: Document) -> int:
    """Where the epic's stories begin: their statuses are their own."""
    found = (h.line for h in document.headings[1:] if _STORY_HEADING.match(h.key))
    return next(found, _FAR)


FAMILY = Family("epic", (".md",), claims, read, identify)
