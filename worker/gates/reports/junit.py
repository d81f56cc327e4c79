"""JUnit XML: streamed, with neither document types nor entities, bounded."""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from worker.gates.reports.reading import Collector, Places, Reading, Unreadable, whole

MAX_DEPTH = 64
MAX_TEXT = 16_000
_CHUNK = 65_536
_PLACE = re.compile(r"^(?:E\s+)?(?:\s*at .{0,300}\()?([^\s:()][^:\n()]{0,300}):(\d{1,8})\b", re.M)
_OUTCOMES = {
    "failure": "failed",
    "error": "failed",
    "skipped": "skipped",
    "flakyFailure": "flaky",
    "flakyError": "flaky",
    "rerunFailure": "failed",
    "rerunError": "failed",
}


@dataclass
class _Case:
    attributes: dict[str, str]
    outcomes: set[str] = field(default_factory=set)
    message: str = ""
    text: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def name(self) -> str:
        """As its runner would say it."""
        file, own = self.attributes.get("file"), self.attributes.get("name", "")
        group = self.attributes.get("classname", "")
        if file:
            inner = group.removeprefix(file.removesuffix(".py").replace("/", ".")).strip(".")
            return "::".join(part for part in (file, inner.replace(".", "::"), own) if part)
        return f"{group}.{own}" if group and group != own else own


class _Reader:
    def __init__(self, places: Places) -> None:
        self.found = Collector(places)
        self._depth = 0
        self._suites = 0
        self._case: _Case | None = None
        self._inside: str | None = None

    def read(self, data: bytes) -> Reading:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        for start in range(0, len(data), _CHUNK):
            parser.Parse(data[start : start + _CHUNK], False)
        parser.Parse(b"", True)
        if not self._suites:
            raise Unreadable("no test suite in it")
        return self.found.reading(tests=True)

    def _refuse(self, *_: object) -> None:
        raise Unreadable("it declares a document type, which is not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
        self._suites += name in ("testsuite", "testsuites")
        if name == "testcase":
            self._case = _Case(attributes)
        elif self._case and name in _OUTCOMES:
            self._case.outcomes.add(_OUTCOMES[name])
            self._case.message = self._case.message or attributes.get("message", "")
            self._inside = name

    def _characters(self, text: str) -> None:
        case = self._case
        if case and self._inside and case.size < MAX_TEXT:
            case.text.append(text[: MAX_TEXT - case.size])
            case.size += len(text)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == self._inside:
            self._inside = None
        if name == "testcase" and self._case:
            self._close(self._case)
            self._case = None

    def _close(self, case: _Case) -> None:
        if "failed" not in case.outcomes:
            self.found.test(next(iter(sorted(case.outcomes)), "passed"))
            return
        self.found.failure(case.name)
        text = "".join(case.text)
        path, line = _place(case, text, self.found.places)
        words = case.message.strip() or text.strip().partition("\n")[0]
        self.found.complain(path, line, f"{case.name}: {words}", rule="test")


def _place(case: _Case, text: str, places: Places) -> tuple[str | None, int]:
    """Where the test failed: the last place in its own file, else the last one in the tree."""
    own = case.attributes.get("file")
    best: tuple[str | None, int] = (own, (whole(case.attributes.get("line")) or 0) + 1)
    home = places.find(own)
    for match in list(_PLACE.finditer(text))[-50:]:
        found = places.find(match[1])
        if found and (home is None or found == home):
            best = (match[1], int(match[2]))
    return best


def read(data: bytes, places: Places) -> Reading:
    """The outcome of every test case; raises Unreadable."""
    try:
        return _Reader(places).read(data)
    except expat.ExpatError as error:
        raise Unreadable(f"not valid XML: line {error.lineno}") from error
