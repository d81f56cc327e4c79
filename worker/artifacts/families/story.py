"""User stories: BMAD 4 and 6, and what looks like them."""

import re

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
)
from worker.artifacts.markdown import Document, Heading, plain, scan
from worker.artifacts.model import Artifact, Identity
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"stories", "user-stories", "story"})
_SPRINT_FOLDERS = frozenset({"implementation-artifacts", "sprint-artifacts"})
_SPRINT_NAME = re.compile(r"(?:story-)?[a-z]{0,4}-?\d{1,4}[a-z]?[-.]\d{1,4}[a-z]?[-.]")
_NAMED_STORY = re.compile(r"(?:user-)?story[-_.][a-z]{0,4}-?\d")
_BMAD6_NAME = re.compile(r"\d{1,4}-\d{1,4}[a-z]?-")
_AUXILIARY = re.compile(
    r"validation|test-(?:strategy|plan|report|design)|wireframe|implementation-(?:guide|summary|plan)"
    r"|test-(?:status|files)|(?:red|green)-phase|qa-|-qa\b|report|summary|checklist|retro|handoff"
    r"|review|readme|notes\b|context\b"
)
_DOTTED_NAME = re.compile(r"\d{1,4}\.\d{1,4}[a-z]?\.[a-z]")
_COUNTED = re.compile(
    r"\b(?:coverage|status|validation|verification|met|checklist|results?|mapping)\b"
)
_REPORT = re.compile(r"report|summary|retrospective|handoff")
_STORY = ("story", "user story")
_STORY_ID = ("story id", "story number")
_REVIEWS = ("qa results", "senior developer review", "code review", "review notes")
_KEYS = header.KEYS | references.KEYS | {*criteria.KEYS, "epic", "epic id", *_STORY_ID}


def claims(folder: Folder, name: str) -> bool:
    if name.endswith(".story.md"):
        return True
    if folder.is_under(_FOLDERS):
        return True
    if folder.is_under(_SPRINT_FOLDERS):
        return _SPRINT_NAME.match(name) is not None
    if "epics" in folder.names and _DOTTED_NAME.match(name):
        return True
    return name.startswith(("story", "user-story")) and _NAMED_STORY.match(name) is not None


def identify(stem: str) -> str:
    return ids.story_in_file(stem) or ids.slug(stem.removesuffix(".story"))


def read(source: Source) -> Artifact | None:
    """The story, or None for what merely lies among stories."""
    document = scan(source.text, _KEYS)
    heading = header.title(document)
    in_heading, title = ids.story_in_heading(heading.title) if heading else (None, "")
    if not _is_story(source, document, in_heading):
        return None
    identity = _identity(source, document, heading, in_heading)
    story = identity.in_document or identity.in_file or identify(source.stem)
    return Artifact(
        id=story,
        kind=FAMILY.kind,
        subtype=_subtype(source),
        path=source.path,
        blob_sha=source.blob_sha,
        title=title or header.value(document, "title") or source.stem,
        identity=identity,
        status=header.read_status(document, source.text, status.STORY, _first_review(document)),
        epic=_epic(document, story),
        story=story,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=criteria.read(document),
        tasks=tasks.read(document),
        links=tuple(document.links),
        dependencies=references.dependencies(document),
        files=files.read(document),
        change_log=change_log.read(document),
        sections=outline.sections(document),
        suppressions=source.suppressions,
        warnings=source.warnings,
    )


def _is_story(source: Source, document: Document, in_heading: str | None) -> bool:
    if source.name.endswith(".story.md") or _is_template(source, document, in_heading):
        return True
    if _AUXILIARY.search(source.stem):
        return False
    has_story = document.first_heading(*_STORY) is not None
    has_criteria = document.first_heading(*criteria.KEYS) is not None
    labelled = any(key in document.fields for key in criteria.KEYS)
    return has_story or has_criteria or labelled or in_heading is not None


def _is_template(source: Source, document: Document, in_heading: str | None) -> bool:
    """A story by its sections, whatever its slug says; a report only counts the criteria."""
    keys = [heading.key for heading in document.headings]
    if not any(k.startswith(criteria.KEYS) and not _COUNTED.search(k) for k in keys):
        return False
    if any(key in _STORY for key in keys) or _DOTTED_NAME.match(source.name):
        return True
    return in_heading is not None and not _REPORT.search(source.stem)


def _identity(
    source: Source, document: Document, heading: Heading | None, in_heading: str | None
) -> Identity:
    """A file name may go on with a number of its slug: then the document settles the id."""
    in_file = ids.story_in_file(source.stem)
    field = header.first(document, *_STORY_ID)
    stated, line = in_heading, heading.line if heading else 1
    if not stated and field:
        stated, line = ids.story_in_file(plain(field.value)), field.line
    if stated and in_file and ids.same_story(stated, in_file):
        in_file = stated
    differ = bool(stated and in_file and stated != in_file)
    return source.identity(in_file, stated, line, differ=differ)


def _epic(document: Document, story: str) -> str | None:
    stated = header.value(document, "epic", "epic id")
    if stated:
        number = ids.epic_number(f"epic {stated}") or ids.epic_number(stated)
        if number:
            return number
    return ids.epic_of_story(story)


def _subtype(source: Source) -> str:
    if source.name.endswith(".story.md"):
        return "bmad4"
    if source.folder.is_under(_SPRINT_FOLDERS) or _BMAD6_NAME.match(source.name):
        return "bmad6"
    return "story"


def _first_review(document: Document) -> int:
    """Where a verdict on the story begins: its status is not the story's."""
    review = document.first_heading(*_REVIEWS)
    return review.line if review else header.FAR


FAMILY = Family("story", (".md",), claims, read, identify)
