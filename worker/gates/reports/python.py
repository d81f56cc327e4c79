"""JSON that ruff and mypy write."""

from worker.gates.reports.data import items, lines, loaded, table
from worker.gates.reports.reading import Collector, Places, Reading, Unreadable

MAX_DEPTH = 12
_SOURCES = (".py", ".pyi", ".ipynb")


def ruff(data: bytes, places: Places) -> Reading:
    """A list of complaints; raises Unreadable."""
    report = loaded(data)
    if not isinstance(report, list):
        raise Unreadable("not a list of complaints")
    found = Collector(places)
    for told in items(report):
        start, end = table(told.get("location")), table(told.get("end_location"))
        found.complain(
            told.get("filename"),
            start.get("row"),
            told.get("message"),
            rule=told.get("code"),
            column=start.get("column"),
            end_line=end.get("row"),
        )
    # It counts its own settings among the files that it looked at.
    looked_at = None if report or _any_source(places) else 0
    return found.reading(tests=False, looked_at=looked_at)


def _any_source(places: Places) -> bool:
    return any(path.endswith(_SOURCES) for path in places.files.walk("", MAX_DEPTH))


def mypy(data: bytes, places: Places) -> Reading:
    """A line a complaint; raises Unreadable."""
    found = Collector(places)
    told = [line for line in lines(data) if isinstance(line, dict)]
    if data.strip() and not told:
        raise Unreadable("no line of it is a JSON object")
    for line in told:
        found.complain(
            line.get("file"),
            line.get("line"),
            line.get("message"),
            severity="error" if line.get("severity") == "error" else "notice",
            rule=line.get("code"),
            column=line.get("column"),
        )
    return found.reading(tests=False)
