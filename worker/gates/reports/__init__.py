"""What a run left to be read: report files first, then what it printed."""

from collections.abc import Callable

from worker.gates.model import Command, GateType, ReportFile, ReportFormat
from worker.gates.reports import (
    compiled,
    complaints,
    javascript,
    junit,
    python,
    summaries,
)
from worker.gates.reports.reading import Places, Reading, Unreadable, together

__all__ = ["Places", "Reading", "read"]

MEBIBYTE = 1024 * 1024
MAX_BYTES = 32 * MEBIBYTE
# What is read as a whole takes twenty times its size, if it was made to.
MAX_DOCUMENT_BYTES = 16 * MEBIBYTE
_DOCUMENTS = frozenset({"ruff-json", "eslint-json", "jest-json"})
_READERS: dict[ReportFormat, Callable[[bytes, Places], Reading]] = {
    "junit": junit.read,
    "ruff-json": python.ruff,
    "mypy-json": python.mypy,
    "eslint-json": javascript.eslint,
    "jest-json": javascript.jest,
    "go-json": compiled.go,
    "cargo-json": compiled.cargo,
}


def read(command: Command, gate: GateType, output: str, places: Places) -> Reading:
    """All that `command` said. Never fails: what cannot be read is named in `problems`."""
    written = together(
        _file(path, report, places)
        for report in command.reports
        for path in places.files.matching(report.path) or [report.path]
    )
    tests = gate in ("unit-tests", "integration-tests")
    if tests and written.counts is None:
        return together([written, summaries.read(output)])
    if not tests and not written.diagnostics and not written.errors:
        return together([written, complaints.read(output, places)])
    return written


def _file(path: str, report: ReportFile, places: Places) -> Reading:
    limit = MAX_DOCUMENT_BYTES if report.format in _DOCUMENTS else MAX_BYTES
    data = places.files.read(path, limit)
    if data is None:
        there = places.files.is_file(path)
        problem = f"longer than {limit // MEBIBYTE} MiB" if there else "it was not written"
        return Reading(problems=(f"{path}: {problem}",))
    try:
        return _READERS[report.format](data, places)
    except Unreadable as error:
        return Reading(problems=(f"{path}: {error}",))
