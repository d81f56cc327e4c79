"""User stories: BMAD 4 and 6, and what looks like them."""

import re

from worker.artifacts import criteria, header, ids, references, status, tasks
from worker.artifacts.markdown import Document, plain, scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"stories", "user-stories", "story"})
_SPRINT_FOLDERS = frozenset({"implementation-artifacts", "sprint-artifacts"})
_SPRINT_NAME = re.compile(r"(?:story-)?[a-z]{0,4}-?\d{1,4}[a-z]?[-.]\d{1,4}[a-z]?[-.]")
_NAMED_STORY = re.compile(r"(?:user-)?story[-_.][a-z]{0,4}-?\d")
_BMAD6_NAME = re.compile(r"\d{1,4}-\d{1,4}[a-z]?-")
_AUXILIARY = re.compile(
    r"validation|test-(?:strategy|plan|report|design)|wireframe|implementation-(?:guide|summary)"
    r"|qa-|-qa\b|report|summary|checklist|retro|handoff|review|notes\b|context\b"
)
_STORY_ID = ("story id", "story number")
_REVIEWS = ("qa results", "senior developer review", "code review", "review notes")
_KEYS = header.KEYS | references.KEYS | {*criteria.KEYS, "epic", "epic id", *_STORY_ID}
_FAR = 1 << 30


def claims(folder: Folder, name: str) -> bool:
    if name.endswith(".story.md"):
        return True
    if folder.is_under(_FOLDERS):
        return True
    if folder.is_under(_SPRINT_FOLDERS):
        return _SPRINT_NAME.match(name) is not None
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
    story = _story_id(source, document, in_heading)
    return Artifact(
        id=story,
        kind=FAMILY.kind,
        subtype=_subtype(source),
        path=source.path,
        blob_sha=source.blob_sha,
        title=title or header.value(document, "title") or source.stem,
        status=header.read_status(document, source.text, status.STORY, _first_review(document)),
        epic=_epic(document, story),
        story=story,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=criteria.read(document),
        tasks=tasks.read(document),
        links=tuple(document.links),
        dependencies=references.dependencies(document),
        sections=document.sections(),
        warnings=source.warnings,
    )


def _is_story(source: Source, document: Document, in_heading: str | None) -> bool:
    has_story = document.first_heading("story", "user story") is not None
    has_criteria = document.first_heading(*criteria.KEYS) is not None
    if source.name.endswith(".story.md") or (has_story and has_criteria):
        return True
    if _AUXILIARY.search(source.stem):
        return False
    labelled = any(key in document.fields for key in criteria.KEYS)
    return has_story or has_criteria or labelled or in_heading is not None


def _story_id(source: Source, document: Document, in_heading: str | None) -> str:
    in_file = ids.story_in_file(source.stem)
    field = header.value(document, *_STORY_ID)
    stated = in_heading or (ids.story_in_file(plain(field)) if field else None)
    if stated and in_file and not ids.same_story(stated, in_file):
        message = f"the document says {stated}, its file name {in_file}"
        source.text.flag("id_mismatch", message)
    return stated or in_file or identify(source.stem)


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
    return review.line if review else _FAR


FAMILY = Family("story", (".md",), claims, read, identify)
