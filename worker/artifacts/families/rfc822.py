"""A header of `Key: value` lines, with continuation lines, at the top of a text."""

import re
from collections.abc import Iterator

from worker.artifacts.fields import Field

_KEY = re.compile(r"([A-Za-z][A-Za-z-]{0,40}):[ \t]{0,20}")
_MAX_LINES = 200


class Header:
    """The fields by lowered name; every line of a field is a Field of its own."""

    def __init__(self, lines: list[str]) -> None:
        self._fields: dict[str, list[Field]] = {}
        key = ""
        for number, line in enumerate(lines[:_MAX_LINES], 1):
            match = _KEY.match(line)
            if not line.strip() or not (match or line[0] in " \t"):
                break
            key = match[1].lower() if match else key
            text = line[match.end() :] if match else line
            self._fields.setdefault(key, []).append(Field(key, text.strip(), number))

    def lines(self, key: str) -> Iterator[Field]:
        """The lines of the field `key` that hold something."""
        return (field for field in self._fields.get(key, ()) if field.value)

    def value(self, key: str) -> str | None:
        """The field `key` on one line, None where it is missing or empty."""
        return " ".join(field.value for field in self.lines(key)) or None

    def line(self, key: str) -> int:
        """Where the field `key` begins; 1 when it is missing."""
        return self._fields[key][0].line if key in self._fields else 1
