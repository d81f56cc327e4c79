"""Remarks in a document that accept a finding: `conflict-ok: S1 reason`."""

import re
from collections.abc import Iterator

from worker.artifacts.model import Suppression

_CODE = r"[A-Z]\w{0,19}(?:-\w{1,19}){0,3}"
_CODES = rf"conflict-ok:\s{{0,4}}({_CODE}(?:,\s{{0,2}}{_CODE}){{0,9}})(?!\w)"
_IN_MARKDOWN = re.compile(rf"<!--\s{{0,4}}{_CODES}([^\n]*?)(?:-->|$)")
_IN_YAML = re.compile(rf"(?:^|\s)#\s{{0,4}}{_CODES}([^\n]*)$")


def in_markdown(line: str, number: int) -> Iterator[Suppression]:
    """Those of a line's comments; one inside a code span shows how, and means nothing."""
    for match in _IN_MARKDOWN.finditer(line):
        if line.count("`", 0, match.start()) % 2 == 0:
            yield from _each(match, number)


def in_yaml(lines: list[str], first: int = 1) -> Iterator[Suppression]:
    """Those of YAML lines, of which the first is number `first` of the document."""
    for number, line in enumerate(lines, first):
        if "conflict-ok" in line and (match := _IN_YAML.search(line)):
            yield from _each(match, number)


def _each(match: re.Match[str], line: int) -> Iterator[Suppression]:
    for code in match[1].split(","):
        yield Suppression(code=code.strip(), reason=match[2].strip(" :-\u2013\u2014"), line=line)
