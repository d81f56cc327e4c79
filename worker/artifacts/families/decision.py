"""Architecture decision records: Nygard's form, MADR 2 to 4, and their kin."""

import re
from collections.abc import Iterable, Iterator

from worker.artifacts import header, ids, references, status
from worker.artifacts.families import records
from worker.artifacts.markdown import STATUS_KEYS, Document, plain, scan
from worker.artifacts.model import Artifact, Reference, Status
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset(
    {
        "adr",
        "adrs",
        "decisions",
        "architecture-decisions",
        "decision-records",
        "architecture-decision-records",
    }
)
_SECTIONS = ("context", "decision", "consequences", "decision drivers", "rationale")
_MADR_SECTIONS = ("considered options", "decision outcome", "context and problem statement")
_SUPERSESSION = (
    "supersedes",
    "supercedes",
    "superseded by",
    "superceded by",
    "replaces",
    "replaced by",
    "consolidates",
)
_VERBS = {"consolidates": "replaces"}
_STATED = frozenset({"status", "date"})
_PLACEHOLDER = re.compile(r"\{.*\}?|\[.*\]", re.DOTALL)
_DATED_SLUG = re.compile(r"\d{8}-")
_LINK_SECTIONS = ("links", "related decisions")
_KEYS = header.KEYS | references.KEYS | {*_SUPERSESSION}
_STATUS_ROWS = 20


def claims(folder: Folder, name: str) -> bool:
    if folder.is_under(_FOLDERS):
        return True
    return name.startswith("adr") and ids.decision_in_file(name) is not None


def identify(stem: str) -> str:
    return ids.decision_in_file(stem) or ids.slug(stem)


def read(source: Source) -> Artifact | None:
    """The decision, or None for indexes, templates and prose in the same folder."""
    document = scan(source.text, _KEYS)
    heading = header.title(document)
    in_heading, title = ids.decision_in_heading(heading.title) if heading else (None, "")
    if _is_template(source, title) or not _is_decision(source, document, in_heading):
        return None
    state = header.read_status(document, source.text, status.DECISION, rows=_STATUS_ROWS)
    supersedes, superseded_by = _supersession(document, state)
    in_file = ids.decision_in_file(source.stem)
    return records.record(
        source,
        document,
        id=in_file or in_heading or identify(source.stem),
        kind=FAMILY.kind,
        subtype=_subtype(source, document),
        title=title or header.value(document, "title") or source.stem,
        identity=records.identity(source, in_file, in_heading, heading.line if heading else 1),
        status=state,
        owner=header.owner(document),
        dates=header.dates(document),
        dependencies=references.dependencies(document),
        supersedes=supersedes,
        superseded_by=superseded_by,
    )


def _is_template(source: Source, title: str) -> bool:
    unfilled = _PLACEHOLDER.fullmatch(title) or "{{" in title or title.upper() == "TITLE"
    return bool(unfilled) or source.stem.lstrip("0-_") in ("template", "adr-template")


def _is_decision(source: Source, document: Document, in_heading: str | None) -> bool:
    """By its sections; by the key of a decision only where name or heading say that it is one."""
    if document.first_heading(*_SECTIONS, *_MADR_SECTIONS):
        return True
    named = in_heading or ids.decision_in_file(source.stem) or _DATED_SLUG.match(source.stem)
    stated = document.fields.keys() | document.front.values.keys()
    return bool(named) and bool(stated & _STATED or document.first_heading("status"))


def _subtype(source: Source, document: Document) -> str:
    if _DATED_SLUG.match(source.stem):
        return "log4brains"
    if document.first_heading(*_MADR_SECTIONS):
        return "madr"
    return "nygard" if document.first_heading("context", "decision") else "adr"


def _supersession(
    document: Document, state: Status | None
) -> tuple[tuple[Reference, ...], tuple[Reference, ...]]:
    """Read only where it is stated: the status, the header's keys and the list of links."""
    supersedes: list[Reference] = []
    superseded_by: list[Reference] = []
    for line, statement in _statements(document, state):
        new, old = references.supersession(statement)
        supersedes += _references(document, new, line)
        superseded_by += _references(document, old, line)
    return records.unique(supersedes), records.unique(superseded_by)


def _statements(document: Document, state: Status | None) -> Iterator[tuple[int, str]]:
    yield from _of_status(document, state) if state else ()
    for key in _SUPERSESSION:
        verb = _VERBS.get(key, key)
        for field in header.all_fields(document, key):
            yield field.line, f"{verb} {field.value}"
    links = document.first_heading(*_LINK_SECTIONS)
    for line, text in document.body(links) if links else ():
        yield line, plain(text)


def _of_status(document: Document, state: Status) -> Iterator[tuple[int, str]]:
    """All of the status section where there is one: people go on below its first line."""
    for heading in document.headings:
        if heading.key in STATUS_KEYS and heading.line < state.line < heading.end:
            yield from document.body(heading)
            return
    yield state.line, state.raw


def _references(document: Document, targets: Iterable[str], line: int) -> Iterator[Reference]:
    quote = document.quote(line)
    return (Reference(kind="adr", target=t, line=line, quote=quote) for t in targets)


FAMILY = Family("adr", (".md",), claims, read, identify)
