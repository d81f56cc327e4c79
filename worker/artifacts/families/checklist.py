"""Lists of checkboxes, with what is noted below each of them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from worker.artifacts import items
from worker.artifacts.families import mentions
from worker.artifacts.items import Item
from worker.artifacts.model import FileClaim, Task
from worker.artifacts.text import MAX_ITEMS

NUMBER = re.compile(r"(\d{1,4}(?:\.\d{1,4}){0,4}[a-z]?)[.:)]?\s{1,3}")
"""How most number their tasks: "1." or "2.1"."""
_MOST_NOTES = 50


@dataclass(slots=True)
class Box:
    """A checkbox: `level` 0 has none above it; `notes` are the items below it without a box."""

    item: Item
    level: int
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return mentions.unmarked(self.item.text)


def read(lines: Iterable[tuple[int, str]]) -> list[Box]:
    """The boxes among numbered lines, at most MAX_ITEMS."""
    return list(islice(_read(lines), MAX_ITEMS))


def task(box: Box, number: re.Pattern[str] = NUMBER, acs: Iterable[str] = ()) -> Task:
    """The task that a box is; its text may begin with a `number`."""
    match = number.match(box.text)
    return Task(
        n=match[1] if match else None,
        text=box.text[match.end() :] if match else box.text,
        done=bool(box.item.checked),
        acs=tuple(dict.fromkeys(acs)),
        line=box.item.line,
        level=box.level,
    )


def files(boxes: Iterable[Box]) -> tuple[FileClaim, ...]:
    """What each task and its notes name, on the task's line; at most MAX_ITEMS."""
    return tuple(islice(_files(boxes), MAX_ITEMS))


def _read(lines: Iterable[tuple[int, str]]) -> Iterator[Box]:
    above: list[Box] = []
    last: Box | None = None
    for item in items.read(lines):
        while above and above[-1].item.indent >= item.indent:
            above.pop()
        if item.checked is not None:
            if last:
                yield last
            last = Box(item, len(above))
            above.append(last)
        elif last and above and len(last.notes) < _MOST_NOTES:
            last.notes.append(item.text)
    if last:
        yield last


def _files(boxes: Iterable[Box]) -> Iterator[FileClaim]:
    for box in boxes:
        for text in (box.item.text, *box.notes):
            yield from mentions.files(text, box.item.line)
