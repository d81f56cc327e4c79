"""What the head of a Markdown document states: title, status, owner, dates."""

import re
from collections.abc import Iterator

from worker.artifacts import fields, status
from worker.artifacts.fields import Field
from worker.artifacts.markdown import STATUS_KEYS, Document, Heading, plain
from worker.artifacts.model import Dates, Status
from worker.artifacts.text import Text

_OWNER = ("owner", "assignee", "assigned to", "author", "authors", "decision makers", "deciders")
_CREATED = ("created", "date", "created at", "created date", "date created", "creation date")
_UPDATED = ("updated", "last updated", "updated at", "last modified", "date updated")
_NAMES = ("title", "story id", "story number", "epic", "epic id", "deciders")
KEYS = frozenset({"title", "state", *STATUS_KEYS, *_OWNER, *_CREATED, *_UPDATED})
"""What a scan has to look for, that this module may answer."""

_ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_BOX = re.compile(r"[-*+]\s+\[[ xX]\]")
_BLOCK = 8
FAR = 1 << 30
"""Behind every line of a document."""


def title(document: Document) -> Heading | None:
    """The first heading that names something and does not carry the status."""
    named = (h for h in document.headings if h.title and not h.key.startswith("status"))
    return next(named, None)


def all_fields(document: Document, *keys: str) -> Iterator[Field]:
    """Every non-empty value of `keys`: front matter first, then key by key in document order."""
    for key in keys:
        name = key.replace(" ", "_")
        value = document.front.values.get(name)
        if isinstance(value, list):
            value = ", ".join(item for item in value if isinstance(item, str))
        if value and isinstance(value, str):
            yield Field(key, value, document.front.lines[name])
    for key in keys:
        yield from (field for field in document.fields.get(key, ()) if field.value)


def first(document: Document, *keys: str) -> Field | None:
    """The first non-empty value of `keys` with its line, as written."""
    return next(all_fields(document, *keys), None)


def value(document: Document, *keys: str) -> str | None:
    """The first value of `keys` without markup, or None."""
    found = first(document, *keys)
    return plain(found.value) or None if found else None


def owner(document: Document) -> str | None:
    return value(document, *_OWNER)


def dates(document: Document) -> Dates:
    return Dates(created=_date(document, _CREATED), updated=_date(document, _UPDATED))


def read_status(
    document: Document,
    text: Text | None,
    vocabulary: status.Vocabulary,
    before: int = FAR,
    rows: int = 1,
) -> Status | None:
    """The status stated first before line `before`; a section gives up to `rows` lines of it.

    Front matter wins over the body. A word outside the vocabulary is flagged on `text`, if given.
    """
    stated = [f for f in _fields_of_document(document) if f.line < before]
    front = document.front.lines.get("status")
    stated.extend(_section_statuses(document, before, rows))
    if not stated:
        return None
    first = min(stated, key=lambda field: (field.line != front, field.line))
    found = status.read(first.value, first.line, vocabulary)
    if found.normalized is None and text:
        text.flag("unknown_status", f"not a status we know: {found.raw[:60]!r}", found.line)
    return found


def _fields_of_document(document: Document) -> Iterator[Field]:
    """The statuses that describe the document and not something further down in it.

    Such stand in a heading, above the second section, or in a block that names the document.
    """
    sections = [heading.line for heading in document.headings if heading.level > 1]
    headings = {heading.line for heading in document.headings}
    second = sections[1] if len(sections) > 1 else FAR
    names = [field.line for key in _NAMES for field in document.fields.get(key, ())]
    for field in all_fields(document, *STATUS_KEYS, "state"):
        if field.line < second or field.line in headings or _is_near(names, field.line):
            yield field


def _is_near(lines: list[int], line: int) -> bool:
    return any(abs(other - line) <= _BLOCK for other in lines)


def _section_statuses(document: Document, before: int, rows: int) -> Iterator[Field]:
    for heading in document.headings:
        if heading.line >= before or heading.key not in STATUS_KEYS:
            continue
        lines = [(n, line.strip()) for n, line in document.body(heading) if line.strip()]
        lines = [(n, line) for n, line in lines if not line.startswith(("#", "---"))][:rows]
        if lines and not any(fields.find(lines[0][1], 0)) and not _BOX.match(lines[0][1]):
            yield Field("status", "\n".join(line for _, line in lines), lines[0][0])


def _date(document: Document, keys: tuple[str, ...]) -> str | None:
    written = value(document, *keys)
    found = _ISO_DATE.search(written) if written else None
    return found[0] if found else written
