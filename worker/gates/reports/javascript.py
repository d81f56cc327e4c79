"""JSON that eslint, jest and vitest write."""

import re

from worker.gates.reports.data import items, loaded, table
from worker.gates.reports.reading import Collector, Places, Reading, Unreadable
from worker.gates.text import plain

_FRAME = re.compile(r"(?:^|[\s(])((?:file://)?[^\s():]{1,400}):(\d{1,8})(?::\d{1,8})?")

_STACK = "\n    at "


def eslint(data: bytes, places: Places) -> Reading:
    """One entry a file; raises Unreadable."""
    files = loaded(data)
    if not isinstance(files, list):
        raise Unreadable("not a list of files")
    found = Collector(places)
    for file in items(files):
        for told in items(file.get("messages")):
            found.complain(
                file.get("filePath"),
                told.get("line"),
                told.get("message"),
                severity="error" if told.get("severity") == 2 else "warning",
                rule=told.get("ruleId"),
                column=told.get("column"),
                end_line=told.get("endLine"),
            )
    return found.reading(tests=False, looked_at=len(files))


def jest(data: bytes, places: Places) -> Reading:
    """One entry a file of tests; raises Unreadable."""
    report = table(loaded(data))
    if not isinstance(report.get("testResults"), list):
        raise Unreadable("no list of test results in it")
    found = Collector(places)
    for file in items(report["testResults"]):
        tests = items(file.get("assertionResults"))
        for test in tests:
            _test(test, file.get("name"), found)
        if file.get("status") == "failed" and not any(t.get("status") == "failed" for t in tests):
            found.failure(places.find(file.get("name")) or str(file.get("name")))
            found.complain(file.get("name"), 1, file.get("message"), rule="test")
    return found.reading(tests=True)


def _test(test: dict[str, object], path: object, found: Collector) -> None:
    status = test.get("status")
    if status != "failed":
        found.test("passed" if status == "passed" else "skipped")
        return
    told = test.get("failureMessages")
    words = plain(str(told[0])[:8_000]) if isinstance(told, list) and told else ""
    title = str(test.get("fullName") or test.get("title") or "")
    found.failure(title)
    line = _line(words, path, found.places)
    found.complain(path, line, f"{title}: {words.partition(_STACK)[0]}", rule="test")


def _line(words: str, path: object, places: Places) -> int:
    home = places.find(path)
    frames = ((places.find(m[1]), int(m[2])) for m in _FRAME.finditer(words))
    return next((line for place, line in frames if place and place == home), 1)
