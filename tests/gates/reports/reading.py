"""Reading one report in a small tree."""

from pathlib import Path

from tests.gates.trees import write
from worker.gates.files import Files
from worker.gates.model import Command, GateType, ReportFile, ReportFormat
from worker.gates.reports import Places, Reading, read

FILES = ("src/a.ts", "src/a.py", "src/lib.rs", "tests/test_a.py", "db/db_test.go", "a.test.js")


def places(tree: Path, directory: str = "") -> Places:
    """Places of a tree that holds `FILES`, and that its program saw at /checkout."""
    write(tree, dict.fromkeys(FILES, "x\n" * 20))
    return Places(Files(tree), ("/checkout", str(tree)), directory)


def reading(
    tree: Path,
    form: ReportFormat | None,
    content: str | bytes,
    gate: GateType = "lint",
    directory: str = "",
) -> Reading:
    """What is read of a report; without a format, `content` is what the command printed."""
    found = places(tree, directory)
    if form is None:
        assert isinstance(content, str)
        return read(Command(("house-check",), directory, ""), gate, content, found)
    write(tree, {"report": content})
    command = Command(("house-check",), directory, "", (ReportFile("report", form),))
    return read(command, gate, "", found)
