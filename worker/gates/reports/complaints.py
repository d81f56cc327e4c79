"""Complaints in a tool's printed lines: compilers', linters' and type checkers' usual shapes."""

import re

from worker.gates.model import Level
from worker.gates.reports.reading import Collector, Places, Reading

MAX_LINES = 50_000
MAX_LENGTH = 4_000
_PATH = r"(?P<path>[^\s:()][^:()\n]{0,300})"
_SHAPES = (
    # src/a.ts(3,5): error TS2322: …
    re.compile(
        _PATH + r"\((?P<line>\d+),(?P<col>\d+)\): (?P<level>\w+) (?P<rule>TS\d+): (?P<text>.+)"
    ),
    # /checkout/a.py:3:5 - error: … (reportX)   and   a.ts:3:5 - error TS2322: …
    re.compile(
        r"\s*" + _PATH + r":(?P<line>\d+):(?P<col>\d+) - (?P<level>error|warning|information)"
        r"(?: (?P<rule>TS\d+))?: (?P<text>.+)"
    ),
    # a.py:3:5: error[rule] …   a.py:3: error: …  [rule]   a.go:3:5: …   a.py:3:5: E501 …
    re.compile(
        r"(?:vet: )?" + _PATH + r":(?P<line>\d+)(?::(?P<col>\d+))?:\s+"
        r"(?:(?P<level>error|warning|note|info)(?:\[(?P<rule>[\w-]+)\])?:? "
        r"|(?P<code>[A-Z]+\d+):? )?"
        r"(?P<text>.+)"
    ),
)
_HEADLINE = re.compile(r"/[^\s:]{1,300}\.\w{1,5}")
_STYLISH = re.compile(r"\s+(\d+):(\d+)\s+(error|warning)\s+(.+?)(?:\s\s+([@\w/-]+))?\s*")
_TRAILING_RULE = re.compile(r"\s+[\[(]([A-Za-z][\w-]*)[\])]$")
_LEVELS: dict[str | None, Level] = {"warning": "warning", "info": "notice", "information": "notice"}


def read(text: str, places: Places) -> Reading:
    """The complaints that `text` makes about files of the tree."""
    found = Collector(places)
    headline: str | None = None
    for line in text.splitlines()[:MAX_LINES]:
        if len(line) > MAX_LENGTH:
            continue
        if _HEADLINE.fullmatch(line):
            headline = line
        elif headline and (told := _STYLISH.fullmatch(line)):
            level: Level = "error" if told[3] == "error" else "warning"
            found.complain(headline, told[1], told[4], severity=level, rule=told[5], column=told[2])
        else:
            _one(line, found)
    return found.reading(tests=False)


def _one(line: str, found: Collector) -> None:
    match = next((match for shape in _SHAPES if (match := shape.fullmatch(line))), None)
    if match is None or found.places.find(match["path"]) is None:
        return
    parts = match.groupdict()
    if parts["level"] == "note":
        return
    text, rule = match["text"], parts["rule"] or parts.get("code")
    if rule is None and (trailing := _TRAILING_RULE.search(text)):
        text, rule = text[: trailing.start()], trailing[1]
    found.complain(
        match["path"],
        match["line"],
        text,
        severity=_LEVELS.get(parts["level"], "error"),
        rule=rule,
        column=match["col"],
    )
