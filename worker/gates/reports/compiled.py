"""JSON lines that `go test -json` and Cargo write to their standard output."""

import re
from dataclasses import dataclass, field

from worker.gates.reports.data import Table, items, lines, table
from worker.gates.reports.reading import Collector, Places, Reading, Unreadable

MAX_KEPT = 4_000
_GO_PLACE = re.compile(r"^\s*([^\s:]{1,300}\.go):(\d{1,8})(?::(\d{1,8}))?: (.*)")


def go(data: bytes, places: Places) -> Reading:
    """Every test and subtest counts; a package without test files does not. Raises Unreadable."""
    report = _Go(Collector(places))
    for event in lines(data):
        if isinstance(event, str):
            report.built(f"{event}\n")
        else:
            report.event(event)
    if data.strip() and not report.events:
        raise Unreadable("no line of it is an event of `go test -json`")
    return report.found.reading(tests=True, log="".join(report.log))


@dataclass
class _Go:
    found: Collector
    events: int = 0
    log: list[str] = field(default_factory=list)
    printed: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)

    def event(self, event: Table) -> None:
        """Take one event of the stream."""
        self.events += "Action" in event
        action, text = event.get("Action"), str(event.get("Output", ""))
        if action == "build-output":
            self.built(text)
            return
        self.log.append(text)
        key = (str(event.get("Package", "")), str(event.get("Test", "")))
        kept = self.printed.setdefault(key, [])
        if text and len(kept) < MAX_KEPT:
            kept.append(text)
        if action == "fail":
            self._failed(*key, kept)
        elif action in ("pass", "skip") and key[1]:
            self.found.test("passed" if action == "pass" else "skipped")

    def built(self, text: str) -> None:
        """Take a line of the compiler; its paths are those of the module."""
        self.log.append(text)
        if match := _GO_PLACE.match(text):
            self.found.complain(match[1], match[2], match[4], column=match[3])

    def _failed(self, package: str, test: str, printed: list[str]) -> None:
        """A package that fails without a failed test could not be built, or ended at once."""
        if not test and package in self.failing:
            return
        self.failing.add(package)
        self.found.failure(test or package)
        for line in printed if test else ():
            if match := _GO_PLACE.match(line):
                place = _go_file(package, match[1], self.found.places)
                self.found.complain(place, match[2], f"{test}: {match[4]}", rule="test")


def _go_file(package: str, name: str, places: Places) -> str | None:
    """The file of a package: the longest tail of its import path that is a folder here."""
    parts = package.split("/")
    tails = ("/".join([*parts[index:], name]) for index in range(len(parts) + 1))
    return next((path for path in tails if places.find(path)), None)


def cargo(data: bytes, places: Places) -> Reading:
    """The compiler's messages; raises Unreadable."""
    found = Collector(places)
    log = list[str]()
    seen = set[str]()
    events = 0
    for event in lines(data):
        if isinstance(event, str):
            log.append(f"{event}\n")
            continue
        events += "reason" in event
        told = table(event.get("message"))
        rendered = str(told.get("rendered") or "")
        # The same file is compiled once for its library and once more for its tests.
        if event.get("reason") == "compiler-message" and rendered not in seen:
            seen.add(rendered)
            log.append(rendered)
            _cargo_message(told, found)
    if data.strip() and not events:
        raise Unreadable("no line of it is a message of Cargo")
    return found.reading(tests=False, log="".join(log))


def _cargo_message(told: Table, found: Collector) -> None:
    spans = items(told.get("spans"))
    span = next((span for span in spans if span.get("is_primary") is True), None)
    level = told.get("level")
    if span is None or level not in ("error", "warning"):
        return
    found.complain(
        span.get("file_name"),
        span.get("line_start"),
        told.get("message"),
        severity="error" if level == "error" else "warning",
        rule=table(told.get("code")).get("code"),
        column=span.get("column_start"),
        end_line=span.get("line_end"),
    )
