"""Bytes of unknown origin into clean lines."""

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.artifacts.model import Flaw, Suppression

MAX_BYTES = 2_000_000
MAX_LINES = 50_000
MAX_LINE = 20_000
MAX_ITEMS = 1_000
"""The most entries of one sort (links, tasks, sections, …) that a record holds."""

Lines = Callable[[int], bool]
"""Whether a line, counted from 1, is meant."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MOJIBAKE = ("â€", "ðŸ", "Ã©", "Ã¨", "Ã¼", "Ã¶", "Ã¤")
_FIRST_OF_MOJIBAKE = {marker[0] for marker in _MOJIBAKE}


@dataclass(slots=True)
class Text:
    """Lines without their ends, free of NUL, what was wrong with the bytes, and remarks to us."""

    lines: list[str]
    flaws: list[Flaw] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)

    def flag(self, code: str, message: str, line: int = 1) -> None:
        """Note a flaw; beyond MAX_ITEMS the rest goes unsaid."""
        if len(self.flaws) < MAX_ITEMS:
            self.flaws.append(Flaw(code=code, message=message, line=line))


def every(line: int) -> bool:
    """All lines: those of a document that speaks for nobody else."""
    return True


def read(data: bytes) -> Text:
    """Decode UTF-8 (or UTF-16 with its mark), whatever the line ends; never fails."""
    text = Text([])
    content = _decode(data, text)
    if "\0" in content:
        _flag_first(text, content, "\0", "nul", "NUL characters were removed")
        content = content.replace("\0", "")
    if marker := _mojibake(content):
        message = f"text was once decoded wrongly: {marker!r}"
        _flag_first(text, content, marker, "mojibake", message)
    text.lines = content.split("\n", MAX_LINES)
    if len(text.lines) > MAX_LINES:
        text.lines.pop()
        text.flag("too_many_lines", f"cut after {MAX_LINES} lines", MAX_LINES)
    _cut_long_lines(text)
    return text


def _decode(data: bytes, text: Text) -> str:
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        content = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text.flag("encoding", f"not valid {encoding.removesuffix('-sig')}", line)
        content = data.decode(encoding, errors="replace")
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    return content


def _mojibake(content: str) -> str | None:
    """A sequence that only a wrong decoding leaves behind; one that is rare is looked for first."""
    if content.isascii() or not any(first in content for first in _FIRST_OF_MOJIBAKE):
        return None
    return next((marker for marker in _MOJIBAKE if marker in content), None)


def _flag_first(text: Text, content: str, marker: str, code: str, message: str) -> None:
    text.flag(code, message, content.count("\n", 0, content.index(marker)) + 1)


def _cut_long_lines(text: Text) -> None:
    if len(max(text.lines, key=len)) <= MAX_LINE:
        return
    for index, line in enumerate(text.lines):
        if len(line) > MAX_LINE:
            text.lines[index] = line[:MAX_LINE]
            text.flag("long_line", f"cut after {MAX_LINE} characters", index + 1)
