"""Spec Kit: a numbered folder for each feature, and the project's constitution."""

import re
from collections.abc import Iterator

from worker.artifacts import header, items
from worker.artifacts.families import checklist, mentions, records, requirements
from worker.artifacts.markdown import Document, Heading, scan
from worker.artifacts.model import Artifact, Criterion, Dates, Task
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import MAX_ITEMS

_KINDS = {
    "spec.md": "spec",
    "plan.md": "plan",
    "tasks.md": "tasks",
    "research.md": "design",
    "data-model.md": "design",
}
_CONSTITUTION = "constitution.md"
_NUMBERED = re.compile(r"\d{3,}-")
_PREFIX = re.compile(
    r"(?:feature specification|specification|implementation plan|tasks|research|data model)"
    r"\s?[:\u2013\u2014-]\s?",
    re.IGNORECASE,
)
_BRANCH = ("feature branch", "branch")
_RATIFIED = ("ratified", "ratification date")
_AMENDED = ("last amended", "last amended date")
_KEYS = header.KEYS | {*_BRANCH, *_RATIFIED, *_AMENDED, "version"}
_STORY = re.compile(r"User Story\s{1,3}(\d{1,3})\s{0,3}[:\u2013\u2014-]?\s{0,3}", re.IGNORECASE)
_TASK = re.compile(r"(T\d{1,4}[a-z]?)\b[:.)]?\s{0,3}")
_NAMED = re.compile(r"\[(US\d{1,3})\]|\b((?:FR|NFR|SC)-\d{1,4})\b")
_DEEPEST_ITEM = 3


def claims(folder: Folder, name: str) -> bool:
    if name == _CONSTITUTION:
        return folder.nearest == "memory"
    return name in _KINDS and "specs" in folder.names and folder.nearest != "specs"


def identify(stem: str) -> str:
    return stem


def read(source: Source) -> Artifact | None:
    """The document, or None for templates and for what merely bears such a name."""
    document = scan(source.text, _KEYS)
    heading = header.title(document)
    if heading is None or _is_template(heading):
        return None
    if source.name == _CONSTITUTION:
        return _constitution(source, document, heading)
    if not (_NUMBERED.match(source.folder.nearest) or _PREFIX.match(heading.title)):
        return None
    return _feature(source, document, heading)


def _is_template(heading: Heading) -> bool:
    return _PREFIX.sub("", heading.title).startswith("[")


def _constitution(source: Source, document: Document, heading: Heading) -> Artifact:
    return records.record(
        source,
        document,
        id=source.stem,
        kind="constitution",
        subtype="speckit",
        title=heading.title,
        dates=Dates(
            created=header.value(document, *_RATIFIED), updated=header.value(document, *_AMENDED)
        ),
    )


def _feature(source: Source, document: Document, heading: Heading) -> Artifact:
    kind = _KINDS[source.name]
    feature = source.folder.nearest
    branch = next(header.all_fields(document, *_BRANCH), None)
    stated = mentions.unmarked(branch.value).lower().rpartition("/")[2] if branch else None
    boxes = _boxes(document) if kind == "tasks" else []
    return records.record(
        source,
        document,
        id=feature if kind != "design" else f"{feature}/{source.stem}",
        kind=kind,
        subtype="speckit",
        title=_PREFIX.sub("", heading.title),
        identity=records.identity(source, feature, stated, branch.line if branch else 1),
        status=records.head_status(source, document),
        epic=feature,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=_criteria(document) if kind == "spec" else (),
        tasks=tuple(_task(box) for box in boxes),
        files=checklist.files(boxes),
    )


def _criteria(document: Document) -> tuple[Criterion, ...]:
    """User stories (US1), their scenarios (US1.1) and coded requirements (FR-001), by line."""
    found = [*_stories(document), *requirements.coded(document)]
    return tuple(sorted(found, key=lambda criterion: criterion.line)[:MAX_ITEMS])


def _stories(document: Document) -> Iterator[Criterion]:
    for heading in document.headings:
        story = _STORY.match(heading.title)
        if not story:
            continue
        yield Criterion(n=f"US{story[1]}", text=heading.title[story.end() :], line=heading.line)
        for item in items.read(document.body(heading)):
            if item.number and item.indent <= _DEEPEST_ITEM:
                text = mentions.unmarked(item.text)
                yield Criterion(n=f"US{story[1]}.{item.number}", text=text, line=item.line)


def _boxes(document: Document) -> list[checklist.Box]:
    """Boxes with a task's number: the others are for the reader to tick."""
    return [box for box in checklist.read(enumerate(document.lines, 1)) if _TASK.match(box.text)]


def _task(box: checklist.Box) -> Task:
    return checklist.task(box, _TASK, (story or code for story, code in _NAMED.findall(box.text)))


FAMILY = Family("spec", (".md",), claims, read, identify, frozenset({"specs", "memory"}))
