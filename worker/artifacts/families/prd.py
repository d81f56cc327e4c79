"""Product requirements: one document, or the folder it was split into."""

import re

from worker.artifacts import change_log, header, status, tracking
from worker.artifacts.families.records import record
from worker.artifacts.ids import slug
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_NAME = re.compile(r"prd\.md$|prd[-_.]|[\w.-]*[-_.]prd\.md$|product[-_]requirements")
_REPORT = re.compile(r"report$|checklist|validation|template|review|summary|traceability")
_TITLE = re.compile(r"\bprd\b|product requirements?", re.IGNORECASE)
_SECTIONS = (
    "goals and background context",
    "requirements",
    "functional requirements",
    "product scope",
    "success criteria",
    "epic list",
    "user journeys",
    "executive summary",
    "goals",
    "problem statement",
)
_KEYS = header.KEYS | {"version"}


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest == "prd":
        return True
    return ("prd" in name or "require" in name) and _NAME.match(name) is not None


def identify(stem: str) -> str:
    return slug(stem)


def read(source: Source) -> Artifact | None:
    """The requirements or a part of them; None for reports about them."""
    whole = _NAME.match(source.name) is not None
    if whole and _REPORT.search(source.stem):
        return None
    document = scan(source.text, _KEYS)
    title = header.title(document)
    if title is None or (whole and not _is_prd(document, title.title)):
        return None
    entries = tracking.headings(document)
    before = min((entry.line for entry in entries), default=header.FAR)
    return record(
        source,
        document,
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="prd" if whole else "shard",
        title=title.title,
        status=header.read_status(document, None, status.DOCUMENT, before),
        owner=header.owner(document),
        dates=header.dates(document),
        change_log=change_log.read(document),
        entries=entries,
    )


def _is_prd(document: Document, title: str) -> bool:
    return _TITLE.search(title) is not None or document.first_heading(*_SECTIONS) is not None


FAMILY = Family("prd", (".md",), claims, read, identify)
