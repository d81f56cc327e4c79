"""GSD: roadmap, project, requirements and state of a project, and the plans of its phases."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from worker.artifacts import header, ids, status, tables
from worker.artifacts.families import checklist, records, requirements
from worker.artifacts.file_paths import path_of
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Artifact, Entry, FileClaim, Status
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import MAX_ITEMS

_ROOT = ".planning"
_KINDS = {
    "roadmap.md": "roadmap",
    "project.md": "prd",
    "requirements.md": "requirements",
    "state.md": "milestone",
}
_PLAN = re.compile(r"(?:(\d{1,3}(?:\.\d{1,3})?-\d{1,3})-)?plan\.md")
_TITLE = re.compile(
    r"(?:project )?(?:roadmap|requirements|state)\s?[:\u2013\u2014-]\s?", re.IGNORECASE
)
_PHASE = re.compile(r"Phase (\d{1,3}(?:\.\d{1,3})?)\b", re.IGNORECASE)
_PHASE_ROW = re.compile(r"(?:Phase )?(\d{1,3}(?:\.\d{1,3})?)\b", re.IGNORECASE)
_PLAN_BOX = re.compile(r"(\d{1,3}(?:\.\d{1,3})?-\d{1,3})\b")
_LIST = re.compile(r"[\[\],]")


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest == _ROOT:
        return name in _KINDS
    return "phases" in folder.names and _PLAN.fullmatch(name) is not None


def identify(stem: str) -> str:
    return stem


def read(source: Source) -> Artifact | None:
    """The document; a plan only with the front matter of one."""
    document = scan(source.text, header.KEYS)
    if source.folder.nearest == _ROOT:
        return _of_project(source, document)
    return _plan(source, document) if document.front.text("phase", "plan") else None


def _of_project(source: Source, document: Document) -> Artifact:
    kind = _KINDS[source.name]
    return _record(
        source,
        document,
        id=source.stem,
        kind=kind,
        status=header.read_status(document, source.text, status.PLANNING),
        acceptance_criteria=tuple(islice(requirements.coded(document), MAX_ITEMS))
        if kind == "requirements"
        else (),
        entries=tuple(islice(_entries(source, document), MAX_ITEMS)) if kind == "roadmap" else (),
    )


def _plan(source: Source, document: Document) -> Artifact:
    number = _PLAN.fullmatch(source.name)
    return _record(
        source,
        document,
        id=ids.normalize(number[1]) if number and number[1] else source.folder.nearest,
        kind="plan",
        epic=source.folder.nearest,
        files=tuple(islice(_files(source, document), MAX_ITEMS)),
    )


def _record(source: Source, document: Document, **values: Any) -> Artifact:
    heading = header.title(document)
    titled = heading is not None and heading.level == 1
    return records.record(
        source,
        document,
        subtype="gsd",
        title=_TITLE.sub("", heading.title) if heading and titled else source.stem,
        owner=header.owner(document),
        dates=header.dates(document),
        **values,
    )


def _entries(source: Source, document: Document) -> Iterator[Entry]:
    """Phases as boxes and as rows of a table, plans as boxes: each line is an entry."""
    found = [*_boxes(document), *_rows(source, document)]
    yield from sorted(found, key=lambda entry: entry.line)


def _boxes(document: Document) -> Iterator[Entry]:
    for box in checklist.read(enumerate(document.lines, 1)):
        phase, plan = _PHASE.match(box.text), _PLAN_BOX.match(box.text)
        raw, normalized = ("[x]", "done") if box.item.checked else ("[ ]", "backlog")
        state = Status(raw=raw, normalized=normalized, line=box.item.line)
        if phase:
            yield Entry(
                key=phase[0], kind="phase", target=ids.normalize(phase[1]), status=state,
                line=box.item.line,
            )  # fmt: skip
        elif plan:
            yield Entry(
                key=plan[0], kind="task", target=ids.normalize(plan[1]), status=state,
                line=box.item.line,
            )  # fmt: skip


def _rows(source: Source, document: Document) -> Iterator[Entry]:
    for table in tables.read(enumerate(document.lines, 1)):
        name, stated = table.column("phase"), table.column("status")
        for line, cells in table.rows if name is not None and stated is not None else ():
            phase = _PHASE_ROW.match(cells[name or 0])
            state = records.state(source, cells[stated or 0], line, status.PLANNING)
            if phase and state:
                yield Entry(
                    key=cells[name or 0], kind="phase", target=ids.normalize(phase[1]),
                    status=state, line=line,
                )  # fmt: skip


def _files(source: Source, document: Document) -> Iterator[FileClaim]:
    """What the front matter says the plan will touch."""
    for field in header.all_fields(document, "files modified"):
        line = field.line
        for written in _LIST.split(field.value):
            path = path_of(written, quoted=True)
            if path:
                line = records.line_of(source, path, line)
                yield FileClaim(path=path, op=None, line=line)


FAMILY = Family("plan", (".md",), claims, read, identify, frozenset({_ROOT}))
