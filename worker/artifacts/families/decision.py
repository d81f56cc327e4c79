"""Architecture decision records: Nygard's form, MADR 2 to 4, and their kin."""

from collections.abc import Iterable

from worker.artifacts import header, ids, references, status
from worker.artifacts.markdown import Document, plain, scan
from worker.artifacts.model import Artifact, Status
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
_SECTIONS = ("context", "decision", "consequences", "status", "decision drivers", "rationale")
_MADR_SECTIONS = ("considered options", "decision outcome", "context and problem statement")
_SUPERSESSION = ("supersedes", "supercedes", "superseded by", "superceded by", "replaces")
_KEYS = header.KEYS | references.KEYS | {*_SUPERSESSION}
_STATUS_ROWS = 20
_MOST = 200


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
    if _is_template(source, title) or not _is_decision(source, document):
        return None
    state = header.read_status(document, source.text, status.DECISION, rows=_STATUS_ROWS)
    supersedes, superseded_by = _supersession(document, state)
    return Artifact(
        id=_number(source, in_heading),
        kind=FAMILY.kind,
        subtype=_subtype(document),
        path=source.path,
        blob_sha=source.blob_sha,
        title=title or header.value(document, "title") or source.stem,
        status=state,
        owner=header.owner(document),
        dates=header.dates(document),
        links=tuple(document.links),
        dependencies=references.dependencies(document),
        supersedes=supersedes,
        superseded_by=superseded_by,
        sections=document.sections(),
        warnings=source.warnings,
    )


def _is_template(source: Source, title: str) -> bool:
    unfilled = title.startswith(("{", "[")) or "{{" in title or title.upper() == "TITLE"
    return unfilled or source.stem.lstrip("0-_") in ("template", "adr-template")


def _is_decision(source: Source, document: Document) -> bool:
    known = document.first_heading(*_SECTIONS, *_MADR_SECTIONS) is not None
    stated = "status" in document.fields or "status" in document.front.values
    return known or stated


def _number(source: Source, in_heading: str | None) -> str:
    in_file = ids.decision_in_file(source.stem)
    if in_file and in_heading and in_file != in_heading:
        message = f"the document says {in_heading}, its file name {in_file}"
        source.text.flag("id_mismatch", message)
    return in_file or in_heading or identify(source.stem)


def _subtype(document: Document) -> str:
    if document.first_heading(*_MADR_SECTIONS):
        return "madr"
    return "nygard" if document.first_heading("context", "decision") else "adr"


def _supersession(
    document: Document, state: Status | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read only where it is stated: the status, the header's keys and the list of links."""
    supersedes: list[str] = []
    superseded_by: list[str] = []
    for statement in _statements(document, state):
        new, old = references.supersession(statement)
        supersedes += new
        superseded_by += old
    return _unique(supersedes), _unique(superseded_by)


def _statements(document: Document, state: Status | None) -> Iterable[str]:
    if state:
        yield state.raw
    for key in _SUPERSESSION:
        for field in header.all_fields(document, key):
            yield f"{key} {field.value}"
    links = document.first_heading("links", "related decisions")
    for _, line in document.body(links) if links else ():
        yield plain(line)


def _unique(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:_MOST]


FAMILY = Family("adr", (".md",), claims, read, identify)
