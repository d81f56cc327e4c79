"""One pass over a Markdown document: what it shows, its headings, fields and links.

Fenced code and comments are blanked before anything is matched. This is no full CommonMark
parser: it reads what documents of record use, in linear time.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.artifacts import fields, front_matter, links, suppressions, yaml_text
from worker.artifacts.fields import Field, key_of
from worker.artifacts.model import Link
from worker.artifacts.text import MAX_ITEMS, Lines, Text, every

_FENCE = re.compile(r"(?:>\s?)*(`{3,}(?=[^`]*$)|~{3,})")
_ATX = re.compile(r"(#{1,6})(?:[ \t]+|$)")
_COMMENT = re.compile(r"<!--.*?-->")
_INLINE_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_OTHER_BLOCK = re.compile(r"[ \t|>]|(?:[-*+]|\d{1,9}[.)])\s")
_DRESS = " \t>*-_+|"
_LONGEST_KEY = 60
STATUS_KEYS = ("status", "story status", "epic status", "current status")


@dataclass(slots=True)
class Heading:
    """`title` without emphasis; its body is the lines after `line` and before `end`, from 1."""

    markup: str
    title: str
    key: str
    level: int
    line: int
    end: int = 0


@dataclass(slots=True)
class Document:
    """`lines` are what is visible: front matter, fenced code and comments are empty there.

    `written` are the same lines as they stand in the document.
    """

    lines: list[str]
    written: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    fields: dict[str, list[Field]] = field(default_factory=lambda: defaultdict(list))
    links: list[Link] = field(default_factory=list)
    front: yaml_text.Mapping = field(default_factory=lambda: yaml_text.Mapping({}, {}))

    def body(self, heading: Heading) -> Iterator[tuple[int, str]]:
        """The numbered lines under `heading`, its sub-headings included."""
        return self.span(heading.line + 1, heading.end)

    def span(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """The numbered lines from `start` up to, not including, `end`."""
        return zip(range(start, end), self.lines[start - 1 : end - 1], strict=False)

    def first_heading(self, *keys: str, is_own: Lines = every) -> Heading | None:
        """The first heading whose key is one of `keys`, or starts with one of them and a space."""
        starts = tuple(f"{key} " for key in keys)
        found = (h for h in self.headings if h.key in keys or h.key.startswith(starts))
        return next((heading for heading in found if is_own(heading.line)), None)

    def quote(self, line: int) -> str:
        """Line number `line` as it was written."""
        return self.written[line - 1]


def scan(text: Text, keys: frozenset[str]) -> Document:
    """Read `text`, its fields only where their key is one of `keys`; oddities are flagged on it."""
    scanner = _Scanner(text, keys)
    scanner.run()
    return scanner.document


def plain(markup: str) -> str:
    """`markup` without emphasis and code marks."""
    if "_" in markup:
        return _INLINE_MARKUP.sub("", markup).strip()
    return markup.replace("*", "").replace("`", "").strip()


class _Scanner:
    def __init__(self, text: Text, keys: frozenset[str]) -> None:
        self.document = Document(lines=[], written=text.lines)
        self._text = text
        self._keys = keys
        self._fence = ""
        self._fence_line = 0
        self._in_comment = False
        self._last_comment_end: int | None = None
        self._column_names: list[Field] = []
        self._field_count = 0

    def run(self) -> None:
        self.document.front, start = front_matter.read(self._text)
        self.document.lines.extend([""] * start)
        show = self.document.lines.append
        for number, line in enumerate(self._text.lines[start:], start + 1):
            if self._fence:
                self._close_fence(line)
                show("")
                continue
            if self._in_comment or "<!--" in line:
                if "conflict-ok" in line:
                    self._text.suppressions.extend(suppressions.in_markdown(line, number))
                line = self._without_comments(number, line)
            stripped = line.lstrip()
            show(self._line(number, line, stripped) if stripped else "")
        if self._fence:
            self._text.flag("unclosed_fence", "this code block never ends", self._fence_line)
        _set_ends(self.document.headings, len(self._text.lines) + 1)

    def _line(self, number: int, line: str, stripped: str) -> str:
        """What is visible of a line that is not empty."""
        first = stripped[0]
        if first in "`~>" and self._open_fence(number, stripped):
            return ""
        may_be_heading = first == "#" or stripped[:2] in ("==", "--")
        is_heading = may_be_heading and self._heading(number, line, stripped)
        if first == "|":
            self._table_row(stripped)
        elif not is_heading and (colon := stripped.find(":", 0, _LONGEST_KEY)) > 0:
            self._fields(number, stripped, colon)
        if "]" in line and ("](" in line or "]:" in line or "[Source:" in line):
            self._links(number, line)
        return line

    def _open_fence(self, number: int, stripped: str) -> bool:
        match = _FENCE.match(stripped)
        if match:
            self._fence, self._fence_line = match[1], number
        return match is not None

    def _close_fence(self, line: str) -> None:
        if self._fence not in line:
            return
        tail = line.strip().lstrip("> ")
        if tail.startswith(self._fence) and not tail.strip(self._fence[0]):
            self._fence = ""

    def _without_comments(self, number: int, line: str) -> str:
        if self._in_comment:
            _, closing, line = line.partition("-->")
            if not closing:
                return ""
            self._in_comment = False
        head, closing, tail = line.rpartition("-->")
        line = _COMMENT.sub("", head + closing)
        shown, opening, _ = tail.rpartition("<!--")
        if opening and shown.count("`") % 2 == 0 and self._comment_ends_after(number):
            self._in_comment = True
            return line + shown
        return line + tail

    def _comment_ends_after(self, number: int) -> bool:
        if self._last_comment_end is None:
            ends = (n for n, line in enumerate(self._text.lines, 1) if "-->" in line)
            self._last_comment_end = max(ends, default=0)
        return number < self._last_comment_end

    def _heading(self, number: int, line: str, stripped: str) -> bool:
        first = stripped[0]
        if first == "#" and len(line) - len(stripped) < 4:
            match = _ATX.match(stripped)
            if match:
                title = stripped[match.end() :].rstrip()
                self._add_heading(_without_closing(title), len(match[1]), number)
            return match is not None
        if first in "=-" and not stripped.rstrip().strip(first):
            return self._underline(number, first, stripped)
        return False

    def _underline(self, number: int, mark: str, stripped: str) -> bool:
        """A rule right under a lone `**Key:** value` line is a rule, whatever CommonMark says."""
        above, before = _last_two(self.document.lines)
        headings = self.document.headings
        after_heading = bool(headings) and headings[-1].line == number - 2
        if not above.strip("-= ") or _OTHER_BLOCK.match(above) or (before and not after_heading):
            return False
        is_heading = bool(headings) and headings[-1].line == number - 1
        if is_heading or len(stripped.rstrip()) < 2 or any(fields.find(above, number)):
            return False
        self._add_heading(above, 1 if mark == "=" else 2, number - 1)
        return True

    def _add_heading(self, markup: str, level: int, number: int) -> None:
        title = plain(markup)
        key, colon, value = title.partition(":")
        if colon and value.strip() and key_of(key) in STATUS_KEYS:
            self._add_field(Field(key_of(key), value.strip(), number))
        heading = Heading(markup, title, key_of(title), level, number)
        self.document.headings.append(heading)

    def _fields(self, number: int, stripped: str, colon: int) -> None:
        """Read a line only when its key is asked for, or when it may hold further keys."""
        key = stripped[:colon].strip(_DRESS).casefold().replace("_", " ").replace("-", " ")
        if key in self._keys or " | " in stripped or stripped.count("**") > 2:
            for found in fields.find(stripped, number):
                self._add_field(found)

    def _table_row(self, stripped: str) -> None:
        """A row of column names is known by the rule below it, and only then forgotten."""
        if self._column_names and not stripped.strip("|-: \t"):
            for found in self._column_names:
                self.document.fields[found.key].remove(found)
        self._column_names = []
        end = stripped.find("|", 1, _LONGEST_KEY)
        if end < 0 or stripped[1:end].strip(_DRESS).casefold() not in self._keys:
            return
        rows = list(fields.find(stripped, len(self.document.lines) + 1))
        for found in rows:
            self._add_field(found)
        self._column_names = [] if fields.is_bold_row(stripped) else rows

    def _add_field(self, found: Field) -> None:
        if self._field_count < MAX_ITEMS and found.key in self._keys:
            self.document.fields[found.key].append(found)
            self._field_count += 1

    def _links(self, number: int, line: str) -> None:
        room = MAX_ITEMS - len(self.document.links)
        if room > 0:
            self.document.links.extend(list(links.find(line, number))[:room])


def _last_two(lines: list[str]) -> tuple[str, str]:
    return lines[-1] if lines else "", lines[-2] if len(lines) > 1 else ""


def _without_closing(title: str) -> str:
    bare = title.rstrip("#")
    return bare if not bare or bare[-1] in " \t" else title


def _set_ends(headings: list[Heading], end: int) -> None:
    unfinished: list[Heading] = []
    for heading in headings:
        while unfinished and unfinished[-1].level >= heading.level:
            unfinished.pop().end = heading.line
        unfinished.append(heading)
    for heading in unfinished:
        heading.end = end
