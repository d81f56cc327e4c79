"""OpenSpec: capabilities as they are, and the changes proposed to them."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from worker.artifacts import header
from worker.artifacts.families import checklist, records
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Artifact, Criterion, Reference, Status
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import MAX_ITEMS

_NAMES = frozenset({"spec.md", "proposal.md", "tasks.md", "design.md"})
_PLACE = re.compile(
    r"(?:^|/)openspec/(?:specs/(?P<capability>.{1,200})/spec"
    r"|changes/(?P<archive>archive/)?(?P<change>[^/]{1,200})/"
    r"(?:specs/(?P<delta>.{1,200})/spec|(?P<document>proposal|tasks|design)))\.md$"
)
_KINDS = {"proposal": "change", "tasks": "tasks", "design": "design"}
_REQUIREMENT = re.compile(r"Requirement:\s{0,4}", re.IGNORECASE)
_SCENARIO = re.compile(r"Scenario:\s{0,4}", re.IGNORECASE)
_EXISTING = ("modified requirements", "removed requirements", "renamed requirements")
_TITLE = re.compile(
    r"(?:change proposal|proposal|change|design|tasks|implementation tasks)\s?[:\u2013\u2014-]\s?",
    re.IGNORECASE,
)


def claims(folder: Folder, name: str) -> bool:
    return name in _NAMES


def identify(stem: str) -> str:
    return stem


def read(source: Source) -> Artifact | None:
    """The document, or None for what lies elsewhere than such documents do."""
    place = _PLACE.search(source.path.lower())
    if place is None:
        return None
    document = scan(source.text, header.KEYS)
    if place["capability"]:
        return _record(source, document, place["capability"], kind="spec", epic=place["capability"])
    return _of_change(source, document, place)


def _of_change(source: Source, document: Document, place: re.Match[str]) -> Artifact:
    change = place["change"]
    archived = Status(raw="archive", normalized="archived", line=1) if place["archive"] else None
    if place["delta"]:
        known = () if archived else _dependencies(document, place["delta"])
        return _record(
            source, document, f"{change}/{place['delta']}", kind="spec", epic=change,
            state=archived, dependencies=known,
        )  # fmt: skip
    kind = _KINDS[place["document"]]
    return _record(source, document, change, kind=kind, epic=change, state=archived)


def _record(
    source: Source,
    document: Document,
    name: str,
    *,
    kind: str,
    epic: str,
    state: Status | None = None,
    **values: Any,
) -> Artifact:
    """What is archived is so by its folder: no line of the document says it."""
    heading = header.title(document)
    titled = heading is not None and heading.level == 1
    boxes = checklist.read(enumerate(document.lines, 1)) if kind == "tasks" else []
    return records.record(
        source,
        document,
        id=name,
        kind=kind,
        subtype="openspec",
        title=_TITLE.sub("", heading.title) if heading and titled else name,
        status=state or records.head_status(source, document),
        epic=epic,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=_criteria(document) if kind == "spec" else (),
        tasks=tuple(checklist.task(box) for box in boxes),
        files=checklist.files(boxes),
        **values,
    )


def _criteria(document: Document) -> tuple[Criterion, ...]:
    """Requirements ("1") and their scenarios ("1.1"), counted in document order."""
    return tuple(islice(_requirements(document), MAX_ITEMS))


def _requirements(document: Document) -> Iterator[Criterion]:
    requirement = scenario = 0
    for heading in document.headings:
        if match := _REQUIREMENT.match(heading.title):
            requirement, scenario = requirement + 1, 0
            number = str(requirement)
        elif requirement and (match := _SCENARIO.match(heading.title)):
            scenario += 1
            number = f"{requirement}.{scenario}"
        else:
            continue
        yield Criterion(n=number, text=heading.title[match.end() :], line=heading.line)


def _dependencies(document: Document, capability: str) -> tuple[Reference, ...]:
    """What changes, removes or renames requirements builds on a capability that is there."""
    heading = document.first_heading(*_EXISTING)
    if heading is None:
        return ()
    quote = document.quote(heading.line)
    return (Reference(kind="spec", target=capability, line=heading.line, quote=quote),)


FAMILY = Family("spec", (".md",), claims, read, identify, frozenset({"openspec"}))
