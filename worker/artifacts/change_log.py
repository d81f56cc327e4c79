"""Change logs: a table of revisions, or a list of dated remarks."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from worker.artifacts import items, tables
from worker.artifacts.markdown import Document, plain
from worker.artifacts.model import Change
from worker.artifacts.tables import Table
from worker.artifacts.text import MAX_ITEMS

_KEYS = (
    "change log",
    "changelog",
    "change history",
    "revision history",
    "version history",
    "document history",
)
_DATE_COLUMNS = ("date", "datum", "fecha", "when")
_VERSION_COLUMNS = ("version", "rev", "revision", "ver")
_TEXT_COLUMNS = ("description", "changes", "change", "summary", "notes", "details", "what")
_AUTHOR_COLUMNS = ("author", "by", "who", "agent", "changed by", "updated by", "auteur")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATED = re.compile(
    r"\W{0,4}(\d{4}-\d{2}-\d{2})(?:T[\d:.Z+]{1,20})?\W{0,3}"
    r"(?:\(?v?(\d{1,4}(?:\.\d{1,4}){1,3})\)?)?\s{0,3}[:)\]\u2013\u2014-]{0,3}\s{0,3}"
)
_NOTHING = frozenset({"", "-", "\u2013", "\u2014", "n/a", "tbd"})


def read(document: Document) -> tuple[Change, ...]:
    """The rows of every change log in the document, in its order, at most MAX_ITEMS."""
    return tuple(islice(_read(document), MAX_ITEMS))


def _read(document: Document) -> Iterator[Change]:
    done_until = 0
    for heading in document.headings:
        if heading.line < done_until or not heading.key.startswith(_KEYS):
            continue
        done_until = heading.end
        lines = list(document.body(heading))
        found = [change for table in tables.read(lines) for change in _rows(table)]
        yield from found or _remarks(lines)


def _rows(table: Table) -> Iterator[Change]:
    date, version = table.column(*_DATE_COLUMNS), table.column(*_VERSION_COLUMNS)
    text, author = table.column(*_TEXT_COLUMNS), table.column(*_AUTHOR_COLUMNS)
    if text is None or (date is None and version is None):
        return
    for line, cells in table.rows:
        change = Change(
            date=_date(_cell(cells, date)),
            version=_cell(cells, version),
            description=plain(cells[text]),
            author=_cell(cells, author),
            line=line,
        )
        if change.date or change.version or change.description:
            yield change


def _remarks(lines: Iterable[tuple[int, str]]) -> Iterator[Change]:
    for item in items.read(lines):
        text = plain(item.text)
        dated = _DATED.match(text)
        if dated:
            rest = text[dated.end() :]
            yield Change(
                date=dated[1], version=dated[2], description=rest, author=None, line=item.line
            )


def _cell(cells: list[str], index: int | None) -> str | None:
    text = "" if index is None else plain(cells[index])
    return None if text.lower() in _NOTHING else text


def _date(written: str | None) -> str | None:
    found = _ISO_DATE.search(written) if written else None
    return found[0] if found else written
