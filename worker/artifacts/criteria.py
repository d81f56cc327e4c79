"""Acceptance criteria, in the styles people number them."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from worker.artifacts import items
from worker.artifacts.markdown import Document, Heading, plain
from worker.artifacts.model import Criterion
from worker.artifacts.strings import MAX_TEXT
from worker.artifacts.text import MAX_ITEMS, Lines, every

KEYS = (
    "acceptance criteria",
    "acceptance criterion",
    "acceptance",
    "acs",
    "success criteria",
    "critères d'acceptation",
    "critères d\u2019acceptation",
    "akzeptanzkriterien",
)
_LABEL = re.compile(
    r"[^\w]{0,4}(?:ACs?|Acceptance Criteri(?:on|a)|Criterion|Scenario)[\s#:-]{0,3}"
    r"(\d{1,4}(?:\.\d{1,3})*[a-z]?)\b[\s:.)\]*\u2013\u2014-]{0,8}",
    re.IGNORECASE,
)
_HEADING_NUMBER = re.compile(r"(\d{1,4}(?:\.\d{1,3})*)[.:)]?\s+")
_GIVEN = re.compile(r"[>\s*_-]{0,6}(?:Given|Angenommen|Soit)\b", re.IGNORECASE)
_BOLD_LABEL = re.compile(r"\*\*(?!AC)[^*]{1,100}(?::\*\*|\*\*:)\s*", re.IGNORECASE)
_DEEPEST_ITEM = 3


def read(document: Document, is_own: Lines = every) -> tuple[Criterion, ...]:
    """The criteria in the first style that the document's section uses, at most MAX_ITEMS.

    `is_own` says of a line whether a section that begins there is the document's.
    """
    span = _span(document, is_own)
    if not span:
        return ()
    for style in (_headings, _labels, _ordered, _given, _bullets):
        found = tuple(islice(style(document, *span), MAX_ITEMS))
        if found:
            return found
    return ()


def _span(document: Document, is_own: Lines) -> tuple[int, int] | None:
    """The first and the behind-last line of the section, or of what follows a bold label."""
    heading = document.first_heading(*KEYS, is_own=is_own)
    if heading:
        return heading.line + 1, heading.end
    for key in KEYS:
        for label in document.fields.get(key, ()):
            if not label.value and is_own(label.line):
                return label.line + 1, _end_of_label(document, label.line)
    return None


def _end_of_label(document: Document, line: int) -> int:
    """A label's list ends at the next heading or the next bold label."""
    headings = (heading.line for heading in document.headings if heading.line > line)
    end = next(headings, len(document.lines) + 1)
    labels = (n for n, text in document.span(line + 1, end) if _BOLD_LABEL.fullmatch(text))
    return next(labels, end)


def _headings(document: Document, start: int, end: int) -> Iterator[Criterion]:
    """Those of labelled headings; where most headings bear none, the label is no system."""
    inside = [h for h in document.headings if start <= h.line < end]
    labels = [_LABEL.match(h.title) or _HEADING_NUMBER.match(h.title) for h in inside]
    levels = Counter(h.level for h in inside)
    labelled = Counter(h.level for h, label in zip(inside, labels, strict=True) if label)
    if any(2 * count < levels[level] for level, count in labelled.items()):
        return
    for heading, label in zip(inside, labels, strict=True):
        if label:
            text = heading.title[label.end() :] or _first_words(document, heading)
            yield Criterion(n=label[1], text=text, line=heading.line)


def _first_words(document: Document, heading: Heading) -> str:
    lines = (line.strip() for _, line in document.body(heading))
    return plain(next(filter(None, lines), ""))


def _labels(document: Document, start: int, end: int) -> Iterator[Criterion]:
    """List items or paragraphs that begin with "AC1"."""
    boxes = {item.line: item for item in items.read(document.span(start, end))}
    for number, line in document.span(start, end):
        item = boxes.get(number)
        text = plain(item.text if item else line)
        label = _LABEL.match(text)
        if label and not line.startswith("#"):
            checked = item.checked if item else None
            yield Criterion(n=label[1], text=text[label.end() :], line=number, checked=checked)


def _ordered(document: Document, start: int, end: int) -> Iterator[Criterion]:
    for item in items.read(document.span(start, end)):
        if item.number and item.indent <= _DEEPEST_ITEM:
            yield _criterion(item, item.number.lstrip("0") or "0")


def _bullets(document: Document, start: int, end: int) -> Iterator[Criterion]:
    top = (item for item in items.read(document.span(start, end)) if item.indent <= _DEEPEST_ITEM)
    for count, item in enumerate(top, 1):
        yield _criterion(item, str(count))


def _given(document: Document, start: int, end: int) -> Iterator[Criterion]:
    """Scenarios: each begins where a line begins with "Given" and runs to the next."""
    scenarios: list[tuple[int, list[str]]] = []
    for number, line in document.span(start, end):
        if _GIVEN.match(line):
            scenarios.append((number, []))
        if scenarios and line.strip() and not line.startswith("#"):
            scenarios[-1][1].append(plain(line.strip(" \t>-*")))
    for count, (number, words) in enumerate(scenarios, 1):
        yield Criterion(n=str(count), text=" ".join(words)[:MAX_TEXT], line=number)


def _criterion(item: items.Item, number: str) -> Criterion:
    return Criterion(n=number, text=plain(item.text), line=item.line, checked=item.checked)
