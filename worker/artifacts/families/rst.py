"""One pass over reStructuredText: its headings and links."""

import re
from collections.abc import Iterator

from worker.artifacts import suppressions
from worker.artifacts.fields import key_of
from worker.artifacts.markdown import Document, Heading, plain
from worker.artifacts.model import Link
from worker.artifacts.text import MAX_ITEMS, Text

_ADORNMENTS = frozenset("=-`:'\"~^_*+#<>.!$%&,/;?@")
_SHORTEST = 3
_DEEPEST = 6
_INLINE = re.compile(r"`[^`<>]{0,500}<([^`<>\s]{1,2000})>`_")
_TARGET = re.compile(r"\.\. _(?:`[^`]{1,200}`|[^:`]{1,200}):[ \t]{1,20}(\S{1,2000})$")


def scan(text: Text) -> Document:
    """The headings, by the order in which their underlines appear, and the links."""
    document = Document(lines=text.lines, written=text.lines)
    document.headings = list(_headings(text.lines))
    for number, line in enumerate(text.lines, 1):
        if "conflict-ok" in line:
            text.suppressions.extend(suppressions.in_markdown(line, number))
        if "`_" in line or line.startswith(".. _"):
            document.links.extend(_links(line, number))
    del document.links[MAX_ITEMS:]
    return document


def _headings(lines: list[str]) -> Iterator[Heading]:
    levels: dict[str, int] = {}
    for number, line in enumerate(lines[1:], 2):
        if not _is_underline(line) or not _is_title(lines, number - 2, len(line.rstrip())):
            continue
        above = lines[number - 3] if number > 2 else ""
        style = line[0] * (2 if above[:1] == line[0] and _is_underline(above) else 1)
        level = levels.setdefault(style, min(len(levels) + 1, _DEEPEST))
        title = plain(lines[number - 2])
        yield Heading(title, title, key_of(title), level, number - 1)


def _is_underline(line: str) -> bool:
    if not line or line[0] not in _ADORNMENTS:
        return False
    bare = line.rstrip()
    return len(bare) >= _SHORTEST and not bare.strip(bare[0])


def _is_title(lines: list[str], index: int, width: int) -> bool:
    """A lone line no wider than its underline, with nothing above it or an overline."""
    title = lines[index].rstrip()
    if not title or title[0].isspace() or len(title) > width or _is_underline(title):
        return False
    above = lines[index - 1] if index else ""
    return not above.strip() or _is_underline(above)


def _links(line: str, number: int) -> Iterator[Link]:
    found = [match[1] for match in _INLINE.finditer(line)]
    target = _TARGET.match(line)
    for destination in [*found, target[1]] if target else found:
        path, hash_mark, anchor = destination.partition("#")
        yield Link(target=path, anchor=anchor if hash_mark else None, line=number)
