"""Runners of tests: jest, vitest, go, and the last lines of the others."""

import json
from pathlib import Path

import pytest

from tests.gates.reports.reading import reading
from worker.gates.model import Counts

STACK = "Error: expected 1\n    at helper (/checkout/src/a.ts:2:3)\n    at /checkout/a.test.js:9:5"
JEST = {
    "testResults": [
        {
            "name": "/checkout/a.test.js",
            "status": "failed",
            "assertionResults": [
                {"status": "passed", "fullName": "adds"},
                {"status": "failed", "fullName": "multiplies", "failureMessages": [STACK]},
                {"status": "pending", "fullName": "divides"},
                {"status": "todo", "fullName": "subtracts"},
            ],
        },
        {
            "name": "/checkout/src/a.ts",
            "status": "failed",
            "message": "Cannot find module './b'",
            "assertionResults": [],
        },
    ]
}


def test_jest_and_vitest(tmp_path: Path) -> None:
    found = reading(tmp_path, "jest-json", json.dumps(JEST), "unit-tests")
    assert found.counts == Counts(total=5, passed=1, failed=2, skipped=2)
    assert found.failed == ("multiplies", "src/a.ts")
    told = [(t.path, t.line) for t in found.diagnostics]
    assert told == [("a.test.js", 9), ("src/a.ts", 1)]
    messages = [t.message for t in found.diagnostics]
    assert messages == ["multiplies: Error: expected 1", "Cannot find module './b'"]


def go(*events: dict[str, object]) -> str:
    return "\n".join(json.dumps({"Package": "example.com/ledger/db", **e}) for e in events)


def test_go(tmp_path: Path) -> None:
    printed = go(
        {"Action": "run", "Test": "TestOpen"},
        {"Action": "output", "Test": "TestOpen", "Output": "    db_test.go:7: not open\n"},
        {"Action": "fail", "Test": "TestOpen"},
        {"Action": "pass", "Test": "TestClose"},
        {"Action": "skip", "Test": "TestLater"},
        {"Action": "fail"},
    )
    found = reading(tmp_path, "go-json", "# not json\n" + printed, "unit-tests")
    assert found.counts == Counts(total=3, passed=1, failed=1, skipped=1)
    (told,) = found.diagnostics
    assert (told.path, told.line, told.message) == ("db/db_test.go", 7, "TestOpen: not open")
    assert found.log == "# not json\n    db_test.go:7: not open\n"


@pytest.mark.parametrize("printed", ["db/db_test.go:3:9: undefined: open\n", ""])
def test_a_package_of_go_that_cannot_be_built(tmp_path: Path, printed: str) -> None:
    report = go({"Action": "build-output", "Output": printed}, {"Action": "fail"})
    found = reading(tmp_path, "go-json", report, "unit-tests")
    assert found.counts == Counts(total=1, failed=1)
    assert found.failed == ("example.com/ledger/db",)
    told = [(t.path, t.line, t.column, t.message) for t in found.diagnostics]
    assert told == ([("db/db_test.go", 3, 9, "undefined: open")] if printed else [])


def test_go_without_any_test(tmp_path: Path) -> None:
    output = "?   \texample.com/ledger/db\t[no test files]\n"
    printed = go({"Action": "output", "Output": output}, {"Action": "skip"})
    assert reading(tmp_path, "go-json", printed, "unit-tests").counts == Counts()


@pytest.mark.parametrize(
    ("printed", "counts"),
    [
        ("==== 3 passed, 1 failed, 2 skipped, 1 warning in 0.12s ====", (3, 1, 2)),
        ("1 failed, 1 error in 2.10s", (0, 2, 0)),
        ("=== 2 passed, 1 xfailed, 3 deselected in 61.20s (0:01:01) ===", (2, 0, 1)),
        ("====== no tests ran in 0.01s ======", (0, 0, 0)),
        ("Ran 4 tests in 0.001s\n\nFAILED (failures=1, errors=1, skipped=1)", (1, 2, 1)),
        ("Ran 2 tests in 0.001s\n\nOK", (2, 0, 0)),
        ("Ran 0 tests in 0.000s\n\nNO TESTS RAN", (0, 0, 0)),
        ("Tests:       1 failed, 2 skipped, 3 passed, 6 total", (3, 1, 2)),
        ("Tests:  2 passed, 2 total\nTests:  1 failed, 1 total", (2, 1, 0)),
        (" Test Files  1 passed (1)\n      Tests  2 passed | 1 skipped (3)", (2, 0, 1)),
        ("  5 passing (20ms)\n  1 pending\n  2 failing\n", (5, 2, 1)),
        ("# tests 4\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0", (2, 1, 1)),
        ("\N{INFORMATION SOURCE} tests 1\n\N{INFORMATION SOURCE} pass 1", (1, 0, 0)),
        ("test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n"
         "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; x",
         (3, 1, 1)),
        ("Tests run: 9, Failures: 9, Errors: 0, Skipped: 0\n"
         "[INFO] Tests run: 12, Failures: 1, Errors: 1, Skipped: 2", (8, 2, 2)),
        ("@ledger/web:test:    Tests  2 passed (2)\nweb:test:    Tests  1 failed (1)", (2, 1, 0)),
        ("core: Tests:       1 skipped, 2 passed, 3 total", (2, 0, 1)),
        ("apps/web test: Tests:       4 passed, 4 total", (4, 0, 0)),
        ("  1 failed\n    a.spec.ts:3:5\n  1 flaky\n  2 skipped\n  3 passed (2.1s)", (4, 1, 2)),
        (" 2 pass\n 1 fail\nRan 3 tests across 1 files. [9.00ms]", (2, 1, 0)),
        ("nothing of the kind", None),
    ],
)  # fmt: skip
def test_last_lines(tmp_path: Path, printed: str, counts: tuple[int, int, int] | None) -> None:
    found = reading(tmp_path, None, f"before\n{printed}\nafter\n", "unit-tests").counts
    assert (found and (found.passed, found.failed, found.skipped)) == counts


def test_names_of_failed_tests_in_last_lines(tmp_path: Path) -> None:
    printed = (
        "FAILED tests/test_a.py::test_b - assert 1 == 2\nERROR tests/test_c.py\n1 failed in 1s"
    )
    assert reading(tmp_path, None, printed, "unit-tests").failed == (
        "tests/test_a.py::test_b",
        "tests/test_c.py",
    )
