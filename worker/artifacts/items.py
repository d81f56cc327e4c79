"""List items with the lines that continue them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.artifacts.strings import MAX_TEXT

_ITEM = re.compile(r"([ \t]*)(?:[-*+]|(\d{1,4})[.)])[ \t]+(?:\[([ xX])\](?:[ \t]+|$))?")
_TAB = 4


@dataclass(slots=True)
class Item:
    """`number` is that of an ordered list; `checked` is None without a box."""

    text: str
    line: int
    indent: int
    number: str | None
    checked: bool | None


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Item]:
    """The items of all depths among numbered `lines`, each once its last line was seen."""
    item: Item | None = None
    for number, line in lines:
        match = _ITEM.match(line)
        if match:
            if item:
                yield item
            item = _item(match, line, number)
        elif item and _continues(item, line):
            item.text = f"{item.text} {line.strip()}"
        elif item:
            yield item
            item = None
    if item:
        yield item


def _item(match: re.Match[str], line: str, number: int) -> Item:
    checked = None if match[3] is None else match[3] in "xX"
    indent = len(match[1].expandtabs(_TAB))
    return Item(line[match.end() :].strip(), number, indent, match[2], checked)


def _continues(item: Item, line: str) -> bool:
    """Whether `line` is a wrapped line of `item`; past the longest text nothing more is added."""
    stripped = line.lstrip()
    if not stripped or stripped[0] in "#|>":
        return False
    return len(item.text) < MAX_TEXT and len(line) - len(stripped) > item.indent
