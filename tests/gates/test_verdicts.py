"""From an exit code and a reading to a verdict."""

from dataclasses import replace

import pytest

from worker.gates.model import Counts, Diagnostic, GateType
from worker.gates.reports import Reading
from worker.gates.verdicts import Outcome, judge

WELL = Outcome(exit_code=0, seconds=60.0)
BADLY = replace(WELL, exit_code=1)
TOLD = Diagnostic(path="a.py", line=1, severity="error", message="bad")
WARNED = TOLD.model_copy(update={"severity": "warning"})
NOTHING = Reading()


def counted(passed: int = 0, failed: int = 0, skipped: int = 0) -> Reading:
    total = passed + failed + skipped
    counts = Counts(total=total, passed=passed, failed=failed, skipped=skipped)
    return Reading(counts=counts, failed=tuple(f"test_{n}" for n in range(failed)), errors=failed)


def said(log: str, exit_code: int = 1) -> Outcome:
    return replace(WELL, exit_code=exit_code, log=log)


@pytest.mark.parametrize(
    ("outcome", "reading", "verdict", "reason"),
    [
        (WELL, counted(passed=3), "pass", "3 tests passed"),
        (WELL, counted(passed=1, skipped=2), "pass", "1 test passed, 2 skipped"),
        (WELL, NOTHING, "pass", "It ended well; how many tests there were could not be read"),
        (BADLY, counted(passed=3, failed=1), "fail", "1 of 4 tests failed: test_0"),
        (BADLY, counted(failed=5), "fail",
         "5 of 5 tests failed: test_0, test_1, test_2 and 2 more"),
        (WELL, counted(passed=3, failed=1), "fail",
         "1 of 4 tests failed: test_0, and yet the command ended well"),
        (said("a\nCoverage 70 % is below 80 %\n\n"), counted(passed=3), "fail",
         "It ended with exit code 1: Coverage 70 % is below 80 %"),
        (BADLY, NOTHING, "fail", "It ended with exit code 1"),
        (Outcome(None, signal=11), NOTHING, "fail", "It ended with signal 11"),
        (WELL, counted(), "vacuous", "No test was run"),
        (said("", 5), counted(), "vacuous", "No test was run"),
        (said("link failed"), counted(), "fail", "It ended with exit code 1: link failed"),
        (BADLY, counted(skipped=4), "fail", "It ended with exit code 1"),
        (WELL, counted(skipped=4), "vacuous", "All 4 tests were skipped"),
        (said("No tests found, exiting with code 0", 0), NOTHING, "vacuous",
         "Nothing was checked: No tests found"),
        (said("No test files found, exiting with code 1"), NOTHING, "vacuous",
         "Nothing was checked: No test files found"),
        (said("No tasks were executed as part of this run.", 0), NOTHING, "vacuous",
         "Nothing was checked: No tasks were executed"),
        (Outcome(None, timed_out=True, seconds=60), counted(passed=3), "timeout",
         "It did not end within 60 s"),
        (Outcome(None, over="memory"), counted(passed=3), "error",
         "It was ended because it met the limit on memory"),
        (Outcome(None, signal=9), NOTHING, "error",
         "It was killed, as happens where memory runs out"),
        (Outcome(137), counted(passed=3), "error",
         "It was killed, as happens where memory runs out"),
        (said("sh: 1: jest: not found", 127), NOTHING, "error",
         "It could not run: jest is not installed"),
        (said("bash: line 1: jest: command not found", 127), NOTHING, "error",
         "It could not run: jest is not installed"),
        (said("npm error code 127\ncommand not found: jest", 1), NOTHING, "error",
         "It could not run: jest is not installed"),
        (said("Command not found: pytest"), NOTHING, "error",
         "It could not run: pytest is not installed"),
        (said("Cannot find module '@/ledger'"), NOTHING, "fail",
         "It ended with exit code 1: Cannot find module '@/ledger'"),
        (said("error TS6053: no such file\n  because:\n\n ELIFECYCLE  Command failed.\n"), NOTHING,
         "fail", "It ended with exit code 1: error TS6053: no such file"),
        (said("bad interpreter", 126), NOTHING, "error", "It could not be run: bad interpreter"),
        (said("E  ModuleNotFoundError: No module named 'requests'", 2), counted(failed=2), "error",
         "It could not run: requests is not installed"),
        (said("Error: Cannot find module 'typescript'"), NOTHING, "error",
         "It could not run: typescript is not installed"),
        (said("Error: Cannot find module './ledger'"), NOTHING, "fail",
         "It ended with exit code 1: Error: Cannot find module './ledger'"),
        (said("No module named 'ledger'", 2), counted(failed=2), "fail",
         "2 of 2 tests failed: test_0, test_1"),
        (said("No module named 'requests'"), counted(passed=1, failed=1), "fail",
         "1 of 2 tests failed: test_0"),
    ],
)  # fmt: skip
def test_tests(outcome: Outcome, reading: Reading, verdict: str, reason: str) -> None:
    judged = judge(outcome, reading, "unit-tests", "pytest", lambda module: module == "ledger")
    assert judged == (verdict, reason)


@pytest.mark.parametrize(
    ("outcome", "reading", "verdict", "reason"),
    [
        (WELL, NOTHING, "pass", "No errors"),
        (WELL, Reading(diagnostics=(WARNED,)), "pass", "No errors, 1 warning"),
        (BADLY, Reading(diagnostics=(TOLD, WARNED), errors=1), "fail", "1 error in 1 file"),
        (BADLY, Reading(diagnostics=(TOLD,), errors=2_000, truncated=True), "fail", "2000 errors"),
        (WELL, Reading(diagnostics=(TOLD,), errors=1), "fail",
         "1 error in 1 file, and yet the command ended well"),
        (said("Too many warnings (3)"), Reading(diagnostics=(WARNED,)), "fail",
         "It ended with exit code 1: Too many warnings (3)"),
        (WELL, Reading(looked_at=0), "vacuous", "No file was looked at"),
        (said("warning: No Python files found under the given path(s)", 0), NOTHING, "vacuous",
         "Nothing was checked: No Python files found"),
        (said("error TS18003: No inputs were found", 2), NOTHING, "vacuous",
         "Nothing was checked: error TS18003"),
        (said("There are no .py[i] files in directory '.'", 2), NOTHING, "vacuous",
         "Nothing was checked: There are no .py[i] files"),
        (said("No files matching the pattern 'src' were found.", 2), NOTHING, "vacuous",
         "Nothing was checked: No files matching the pattern"),
        (said("ruff failed\n  Cause: unknown rule", 2), NOTHING, "error",
         "ruff check failed: Cause: unknown rule"),
        (said("No module named 'ledger_stubs'", 1), Reading(diagnostics=(TOLD,), errors=1), "fail",
         "1 error in 1 file"),
    ],
)  # fmt: skip
def test_complaints(outcome: Outcome, reading: Reading, verdict: str, reason: str) -> None:
    assert judge(outcome, reading, "lint", "ruff check") == (verdict, reason)


@pytest.mark.parametrize(
    ("tool", "code", "verdict"),
    [("pytest", 3, "error"), ("pytest", 4, "error"), ("pytest", 1, "fail"), (None, 4, "fail"),
     ("mypy", 2, "error"), ("eslint", 2, "error"), ("eslint", 1, "fail")],
)  # fmt: skip
def test_a_tool_that_fails_says_nothing_of_the_tree(
    tool: str | None, code: int, verdict: str
) -> None:
    gate: GateType = "unit-tests" if tool == "pytest" else "lint"
    assert judge(said("usage: …", code), NOTHING, gate, tool)[0] == verdict


def test_only_the_end_of_a_pass_is_a_pass() -> None:
    readings = [NOTHING, counted(passed=1), counted(), Reading(looked_at=0), Reading(errors=1)]
    outcomes = [BADLY, Outcome(None, timed_out=True), Outcome(None, over="disk"), Outcome(None, 9)]
    for gate in ("unit-tests", "integration-tests", "type-check", "lint"):
        for reading in readings:
            for outcome in outcomes:
                assert judge(outcome, reading, gate)[0] != "pass"
