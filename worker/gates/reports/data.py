"""JSON of unknown origin as plain values."""

import io
import json
from collections.abc import Iterator

from worker.gates.reports.reading import Unreadable

MAX_LINE = 1_000_000

Table = dict[str, object]


def loaded(data: bytes) -> object:
    """The value that `data` holds; raises Unreadable."""
    try:
        return json.loads(data.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("not valid JSON") from error


def table(value: object) -> Table:
    """`value` where it is an object, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Table]:
    """The objects of a list; empty where `value` is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def lines(data: bytes) -> Iterator[Table | str]:
    """Each line as its object, or as its text where it is none."""
    for raw in io.BytesIO(data):
        line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
        try:
            value = json.loads(line) if line.startswith("{") and len(line) < MAX_LINE else None
        except (ValueError, RecursionError):
            value = None
        yield value if isinstance(value, dict) else line
