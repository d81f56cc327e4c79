"""Linters and type checkers: reports for machines, and printed lines."""

import json
from pathlib import Path

import pytest

from tests.gates.reports.reading import places, reading
from worker.gates.model import Command, Diagnostic, ReportFile, ReportFormat
from worker.gates.reports import read

RUFF = [
    {
        "code": "F401",
        "filename": "/checkout/src/a.py",
        "location": {"row": 1, "column": 8},
        "end_location": {"row": 1, "column": 10},
        "message": "`os` imported but unused",
    },
    {"code": None, "filename": "/checkout/src/a.py", "location": {"row": 3}, "message": "syntax"},
]
ESLINT = [
    {
        "filePath": "/checkout/src/a.ts",
        "messages": [
            {"ruleId": "no-var", "severity": 2, "message": "no var", "line": 4, "column": 1},
            {"ruleId": None, "severity": 1, "message": "odd", "line": 5, "endLine": 6},
        ],
    },
    {"filePath": "/checkout/a.test.js", "messages": []},
]


def test_ruff(tmp_path: Path) -> None:
    found = reading(tmp_path, "ruff-json", json.dumps(RUFF))
    assert found.errors == 2
    assert found.diagnostics[0] == Diagnostic(
        path="src/a.py", line=1, end_line=1, column=8, severity="error", rule="F401",
        message="`os` imported but unused",
    )  # fmt: skip


def test_eslint(tmp_path: Path) -> None:
    found = reading(tmp_path, "eslint-json", json.dumps(ESLINT))
    assert (found.errors, found.looked_at) == (1, 2)
    told = [(t.line, t.end_line, t.severity, t.rule) for t in found.diagnostics]
    assert told == [(4, None, "error", "no-var"), (5, 6, "warning", None)]


def test_mypy_for_machines(tmp_path: Path) -> None:
    line = {"file": "src/a.py", "line": 2, "column": 1, "message": "bad", "code": "arg-type"}
    lines = [{**line, "severity": "error"}, {**line, "severity": "note", "line": 3}]
    found = reading(tmp_path, "mypy-json", "\n".join(map(json.dumps, lines)))
    assert found.errors == 1
    assert [told.severity for told in found.diagnostics] == ["error", "notice"]


def test_cargo(tmp_path: Path) -> None:
    span = {"file_name": "src/lib.rs", "line_start": 3, "line_end": 4, "column_start": 5}
    message = {
        "level": "error",
        "message": "mismatched types",
        "code": {"code": "E0308"},
        "spans": [{**span, "line_start": 9, "is_primary": False}, {**span, "is_primary": True}],
        "rendered": "error[E0308]: mismatched types\n",
    }
    event = json.dumps({"reason": "compiler-message", "message": message})
    aborting = {"level": "error", "message": "aborting", "spans": [], "rendered": "aborting\n"}
    last = json.dumps({"reason": "compiler-message", "message": aborting})
    found = reading(tmp_path, "cargo-json", "\n".join([event, event, last]))
    assert found.errors == 1
    (told,) = found.diagnostics
    assert (told.path, told.line, told.end_line, told.rule) == ("src/lib.rs", 3, 4, "E0308")
    assert found.log == "error[E0308]: mismatched types\naborting\n"


@pytest.mark.parametrize(
    ("line", "severity", "rule", "message"),
    [
        ("src/a.ts(4,5): error TS2322: not a string", "error", "TS2322", "not a string"),
        ("src/a.ts:4:5 - error TS2322: not a string", "error", "TS2322", "not a string"),
        ("  /checkout/src/a.py:4:5 - error: no (reportX)", "error", "reportX", "no"),
        ("  /checkout/src/a.py:4:5 - warning: no (reportX)", "warning", "reportX", "no"),
        ("src/a.py:4:5: error: bad type  [arg-type]", "error", "arg-type", "bad type"),
        ("src/a.py:4:5: error[bad-type] bad", "error", "bad-type", "bad"),
        ("src/a.py:4:5: warning[odd] bad", "warning", "odd", "bad"),
        ("src/a.py:4:5: E501 line too long", "error", "E501", "line too long"),
        ("src/a.py:4:5: C0114: no docstring (missing)", "error", "C0114", "no docstring (missing)"),
        ("./src/a.py:4:5: F401 unused", "error", "F401", "unused"),
        ("vet: db/db_test.go:4:5: undefined: open", "error", None, "undefined: open"),
    ],
)
def test_printed_lines(
    tmp_path: Path, line: str, severity: str, rule: str | None, message: str
) -> None:
    (told,) = reading(tmp_path, None, f"before\n{line}\nafter\n").diagnostics
    assert (told.line, told.column) == (4, 5)
    assert (told.severity, told.rule, told.message) == (severity, rule, message)


@pytest.mark.parametrize(
    "line",
    [
        "unknown.py:4:5: error: of no file here",
        "/etc/passwd:4: error: of no file here",
        "../src/a.py:4: error: of no file here",
        "12:30:15: error: a clock",
        "src/a.py:4: note: see elsewhere",
        "src/a.py: error: no line",
    ],
)
def test_lines_that_are_no_complaint_about_the_tree(tmp_path: Path, line: str) -> None:
    found = reading(tmp_path, None, line)
    assert (found.diagnostics, found.errors) == ((), 0)


def test_eslint_as_people_read_it(tmp_path: Path) -> None:
    printed = "/checkout/src/a.ts\n   4:5  error  Unexpected var  no-var\n  5:1  warning  odd\n"
    found = reading(tmp_path, None, printed)
    told = [(t.path, t.line, t.severity, t.rule, t.message) for t in found.diagnostics]
    assert told == [
        ("src/a.ts", 4, "error", "no-var", "Unexpected var"),
        ("src/a.ts", 5, "warning", None, "odd"),
    ]


def test_paths_are_those_of_the_folder_where_it_ran(tmp_path: Path) -> None:
    (told,) = reading(tmp_path, None, "a.py:4: error: bad", directory="src").diagnostics
    assert told.path == "src/a.py"


ODD: list[object] = [None, 3, [], {}, "a", [[]], [{}], [3], {"messages": 3}, [{"messages": [3]}]]
ODD += [[{"filePath": 3, "messages": [{"line": -1, "message": {}, "severity": "a"}]}]]
ODD += [[{"filename": "src/a.py", "location": 3, "message": None, "code": [1]}]]
ODD += [{"testResults": 3}, {"testResults": [3, {"assertionResults": [{}, 3], "name": {}}]}]
ODD += [{"testResults": [{"status": "failed"}]}, {"reason": 3, "message": {"spans": 3}}]
ODD += [
    {"Action": "fail", "Test": 3, "Package": [], "Output": {}},
    {"line": 10**30, "file": "src/a.py"},
]


@pytest.mark.parametrize("form", ["ruff-json", "eslint-json", "jest-json", "mypy-json", "go-json",
                                  "cargo-json"])  # fmt: skip
@pytest.mark.parametrize("value", ODD)
def test_json_of_another_shape(tmp_path: Path, form: ReportFormat, value: object) -> None:
    found = reading(tmp_path, form, json.dumps(value))
    assert found.problems or found.diagnostics or not found.truncated


@pytest.mark.parametrize("form", ["ruff-json", "eslint-json", "jest-json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"9" * 5_000])
def test_what_is_not_json(tmp_path: Path, form: ReportFormat, content: bytes) -> None:
    (problem,) = reading(tmp_path, form, content).problems
    assert problem == "report: not valid JSON"


def test_a_report_that_is_a_link_out_of_the_tree(tmp_path: Path) -> None:
    found = places(tmp_path)
    (tmp_path / "report").symlink_to("/etc/passwd")
    command = Command(("house-tests",), "", "", (ReportFile("report", "junit"),))
    assert read(command, "unit-tests", "", found).problems == ("report: it was not written",)
