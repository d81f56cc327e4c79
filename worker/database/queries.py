"""Named SQL statements, kept in .sql files beside the module that runs them."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

_HEADER = re.compile(r"^-- name: (?P<name>\w+)\n-- (?P<description>.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement: its SQL, and the line that says what it is for."""

    name: str
    description: str
    sql: str


def statements(path: Path) -> list[Statement]:
    """Every statement of a file. Each begins with `-- name: x` and a line of description."""
    text = path.read_text(encoding="utf-8")
    headers = list(_HEADER.finditer(text))
    ends = [h.start() for h in headers[1:]] + [len(text)]
    return [
        Statement(h["name"], h["description"], text[h.end() : end].strip().rstrip(";"))
        for h, end in zip(headers, ends, strict=True)
    ]


@cache
def load(module_file: str) -> SimpleNamespace:
    """The statements beside `module_file` (`ledger.py` → `ledger.sql`) as attributes."""
    found = statements(Path(module_file).with_suffix(".sql"))
    return SimpleNamespace(**{s.name: s.sql for s in found})
