"""Reports of quality work: risk and requirement assessments, test designs, traceability."""

import re

from worker.artifacts import header, status
from worker.artifacts.families import work_notes
from worker.artifacts.families.records import record
from worker.artifacts.ids import slug
from worker.artifacts.markdown import scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"assessments", "qa-reports", "qa-assessments"})
_PLACES = frozenset({"docs", "tests", "test"})
_SORTS = {
    "risk": "risk",
    "test-design": "test-design",
    "test-plan": "test-design",
    "test-strategy": "test-design",
    "nfr": "nfr",
    "trace": "trace",
    "traceability": "trace",
    "qa-report": "report",
    "qa-review": "report",
    "qa-gate": "report",
    "atdd": "test-design",
}
_NAME = re.compile(rf"(?:^|[-_.\d])({'|'.join(sorted(_SORTS, key=len, reverse=True))})(?=[-_.]|$)")
_TEMPLATE = re.compile(r"template|checklist|skill")


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest in _FOLDERS:
        return True
    in_place = folder.nearest in _PLACES or "qa" in folder.names
    return in_place and _sort(name.removesuffix(".md")) is not None


def identify(stem: str) -> str:
    return slug(stem)


def read(source: Source) -> Artifact | None:
    """The report, or None for templates and what has no heading."""
    document = scan(source.text, work_notes.KEYS)
    title = header.title(document)
    if title is None or _TEMPLATE.search(source.stem):
        return None
    epic, story = work_notes.about(source, document)
    return record(
        source,
        document,
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype=_sort(source.stem) or "assessment",
        title=title.title,
        status=header.read_status(document, None, status.DOCUMENT),
        epic=epic,
        story=story,
        owner=header.owner(document),
        dates=header.dates(document),
    )


def _sort(stem: str) -> str | None:
    match = _NAME.search(stem.replace("_", "-"))
    return _SORTS[match[1]] if match else None


FAMILY = Family("qa-report", (".md",), claims, read, identify)
