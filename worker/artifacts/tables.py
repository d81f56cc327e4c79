"""Pipe tables: a row of column names, a rule below it, then rows."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from worker.artifacts.fields import key_of

_CELL_END = re.compile(r"(?<!\\)\|")
_MAX_CELLS = 30


@dataclass(slots=True)
class Table:
    """`columns` are keys of the column names; a row has its line number and as many cells."""

    columns: list[str]
    line: int
    rows: list[tuple[int, list[str]]] = field(default_factory=list)

    def column(self, *words: str) -> int | None:
        """The first column whose name begins with one of `words`, in their order."""
        for word in words:
            for index, name in enumerate(self.columns):
                if name == word or name.startswith(f"{word} "):
                    return index
        return None


def read(lines: Iterable[tuple[int, str]]) -> Iterator[Table]:
    """The tables among numbered lines, each once its last row was seen."""
    before: tuple[int, str] | None = None
    table: Table | None = None
    for number, line in lines:
        if "|" not in line:
            if table:
                yield table
            before = table = None
        elif table:
            table.rows.append((number, _row(line, len(table.columns))))
        elif before and _is_rule(line):
            table = Table([key_of(cell) for cell in cells(before[1])], before[0])
        else:
            before = (number, line)
    if table:
        yield table


def cells(line: str) -> list[str]:
    """The cells of a row, trimmed; an escaped bar does not end one."""
    body = line.strip().removeprefix("|")
    found = _CELL_END.split(body, _MAX_CELLS)
    if not found[-1].strip():
        found.pop()
    return [cell.strip().replace("\\|", "|") for cell in found]


def _row(line: str, width: int) -> list[str]:
    found = cells(line)[:width]
    return found + [""] * (width - len(found))


def _is_rule(line: str) -> bool:
    return "-" in line and not line.strip("|-: \t")
