"""Kiro: requirements, design and tasks of a feature, and steering for the whole project."""

import re
from collections.abc import Iterator
from itertools import islice

from worker.artifacts import header, items, references
from worker.artifacts.families import checklist, mentions, records
from worker.artifacts.markdown import Document, Heading, scan
from worker.artifacts.model import Artifact, Criterion
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.text import MAX_ITEMS

_KINDS = {"requirements.md": "requirements", "design.md": "design", "tasks.md": "tasks"}
_GENERIC = re.compile(
    r"(?:requirements|design|implementation plan|tasks)(?: document)?\b"
    r"(?:\s{0,2}[:\u2013\u2014-]\s{0,2})?",
    re.IGNORECASE,
)
_WORD = (
    r"(?:requirements?|requisitos?|requerimientos?|exigences?|anforderung(?:en)?|wymagani[ea]"
    r"|\u8981\u4ef6|\u9700\u6c42|\u8981\u6c42|\uc694\uad6c\s?\uc0ac\ud56d)"
)
_REQUIREMENT = re.compile(
    rf"{_WORD}\s{{0,2}}-?(\d{{1,3}})\b[\s:\uff1a.\u2013\u2014-]{{0,4}}", re.IGNORECASE
)
_NUMBERED = re.compile(r"(\d{1,3})[.:)]?\s{1,3}(?=\S)")
_NUMBERED_LINE = re.compile(
    r"\s{0,4}(?:[-*+]\s{1,3})?\*{0,2}(\d{1,3}\.\d{1,3})\*{0,2}[.:)]?\s{1,3}"
)
_BOX = re.compile(r"(\s{0,40}[-*+]\s{1,4}\[)([-~ xX])\]\*?(?=\s)")
_NUMBER = r"(?:[A-Z]{1,4}-?)?\d{1,3}(?:\.\d{1,3}){0,3}(?!\d)"
_JOINT = r"[\s,&\u3001\uff0c\u2013-]{0,3}(?:(?:and|y|e|et|und|i)\s{1,2})?"
_CITED = re.compile(
    rf"(?<![a-z]){_WORD}[\s:\uff1a*]{{0,4}}((?:{_NUMBER}{_JOINT}){{1,60}})", re.IGNORECASE
)
_CITATION = re.compile(_NUMBER, re.IGNORECASE)
_RANGE = ("-", "\u2013")
_DEEPEST_ITEM = 3


def claims(folder: Folder, name: str) -> bool:
    return folder.nearest == "steering" or (name in _KINDS and "specs" in folder.names)


def identify(stem: str) -> str:
    return stem


def read(source: Source) -> Artifact:
    document = scan(source.text, header.KEYS)
    heading = header.title(document)
    if source.folder.nearest == "steering":
        return _steering(source, document, heading)
    return _feature(source, document, heading)


def _steering(source: Source, document: Document, heading: Heading | None) -> Artifact:
    return records.record(
        source,
        document,
        id=source.stem,
        kind="steering",
        subtype="kiro",
        title=heading.title if heading else source.stem,
    )


def _feature(source: Source, document: Document, heading: Heading | None) -> Artifact:
    kind = _KINDS[source.name]
    feature = source.folder.nearest
    boxes = _boxes(document) if kind == "tasks" else []
    named = _GENERIC.sub("", heading.title, count=1) if heading else ""
    return records.record(
        source,
        document,
        id=feature,
        kind=kind,
        subtype="kiro",
        title=named or feature,
        status=records.head_status(source, document),
        epic=feature,
        owner=header.owner(document),
        dates=header.dates(document),
        acceptance_criteria=_criteria(document) if kind == "requirements" else (),
        tasks=tuple(checklist.task(box, acs=_cited(box)) for box in boxes),
        files=checklist.files(boxes),
    )


def _criteria(document: Document) -> tuple[Criterion, ...]:
    """Each requirement ("1") and its acceptance criteria ("1.1", "1.2"), by line."""
    return tuple(islice(_requirements(document), MAX_ITEMS))


def _requirements(document: Document) -> Iterator[Criterion]:
    listed = document.first_heading("requirements")
    for heading in document.headings:
        inside = listed is not None and listed.line < heading.line < listed.end
        number = _REQUIREMENT.match(heading.title)
        number = number or (_NUMBERED.match(heading.title) if inside else None)
        if number:
            text = heading.title[number.end() :] or _first_words(document, heading)
            yield Criterion(n=number[1], text=text, line=heading.line)
            yield from _of_requirement(document, heading, number[1])


def _of_requirement(document: Document, heading: Heading, number: str) -> Iterator[Criterion]:
    """Numbered in full on lines of their own, or by the place in an ordered list."""
    lines = list(document.body(heading))
    for line, text in lines:
        full = _NUMBERED_LINE.match(text)
        if full and full[1].startswith(f"{number}."):
            yield Criterion(n=full[1], text=mentions.unmarked(text[full.end() :]), line=line)
    for item in items.read(lines):
        if item.number and item.indent <= _DEEPEST_ITEM:
            text = mentions.unmarked(item.text)
            yield Criterion(n=f"{number}.{item.number}", text=text, line=item.line)


def _first_words(document: Document, heading: Heading) -> str:
    lines = (line for _, line in document.body(heading) if not line.startswith("#"))
    return next(filter(None, map(mentions.unmarked, lines)), "")


def _boxes(document: Document) -> list[checklist.Box]:
    """Marks for tasks under way ("[-]") and optional ones ("[ ]*") are boxes too."""
    lines = enumerate(document.lines, 1)
    return checklist.read((number, _BOX.sub(_plain_box, line)) for number, line in lines)


def _plain_box(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2] if match[2] in 'xX' else ' '}]"


def _cited(box: checklist.Box) -> Iterator[str]:
    for text in (box.item.text, *box.notes):
        for cited in _CITED.findall(text):
            yield from _numbers(cited)


def _numbers(cited: str) -> Iterator[str]:
    """Each number of a citation, those within a range too."""
    last: re.Match[str] | None = None
    for match in _CITATION.finditer(cited):
        if last and cited[last.end() : match.start()].strip() in _RANGE:
            yield from references.between(last[0], match[0])
        yield match[0]
        last = match


FAMILY = Family("spec", (".md",), claims, read, identify, frozenset({".kiro"}))
