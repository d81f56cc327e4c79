"""Answers for people: tables of what matters, and one thing with all that is known of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from worker.jobs.views import Page

MAX_CELL = 60
Columns = Mapping[str, Callable[[Any], object]]


def table(rows: Sequence[Any], columns: Columns, none: str = "none") -> str:
    """Rows under a heading, each column as wide as it needs; `none` when there are no rows."""
    if not rows:
        return none
    lines = [list(columns), *([cell(value(row)) for value in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def page(columns: Columns) -> Callable[[Page[Any]], str]:
    """Shows a page as a table, and how to see the next one."""

    def show(answer: Page[Any]) -> str:
        more = f"\nmore: --cursor {answer.next}" if answer.next else ""
        return table(answer.items, columns) + more

    return show


def details(answer: BaseModel, *without: str) -> str:
    """Every field that has a value, one a line, but those named; lists and objects as JSON."""
    told = {n: v for n, v in answer if n in answer.model_fields_set and n not in without}
    fields = {to_camel(name): value for name, value in told.items() if value not in (None, [], {})}
    width = max((len(name) for name in fields), default=0)
    return "\n".join(f"{name.ljust(width)}  {text(value)}" for name, value in fields.items())


def cell(value: object) -> str:
    """A value in a table: one line, cut where it is long."""
    line = " ".join(text(value).split())
    return line if len(line) <= MAX_CELL else f"{line[: MAX_CELL - 1]}…"


def text(value: object) -> str:
    """A value as people read it; what a terminal could obey is escaped."""
    match value:
        case None:
            return "-"
        case Enum():
            return str(value.value)
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case dict() | list():
            return orjson.dumps(value, default=str).decode()
        case _:
            return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1]
                           for c in str(value))  # fmt: skip
