"""Choosing the failed tests of a run, and what their second run says of the first."""

import re

import pytest

from worker.gates.model import Command, Counts, Diagnostic
from worker.gates.reports import Reading
from worker.gates.rerunning import MOST_RERUN, again, mended

TOLD = Diagnostic(path="a.py", line=1, severity="error", message="bad")


def failing(*names: str, passed: int = 1) -> Reading:
    counts = Counts(total=passed + len(names), passed=passed, failed=len(names))
    return Reading(counts=counts, failed=names, errors=len(names), diagnostics=(TOLD,))


def line(tool: str | None, argv: str, *failed: str) -> tuple[str, ...] | None:
    command = again(Command(tuple(argv.split()), "", "", tool=tool), failing(*failed))
    return command.argv if command else None


def test_pytest() -> None:
    again = ("--last-failed", "--last-failed-no-failures=none")
    assert line("pytest", "pytest -x", "a::b") == ("pytest", "-x", *again)


def test_go() -> None:
    found = line("go test", "go test -json ./...", "TestA", "TestA/of_(b)", "TestC")
    chosen = ("-count=1", "-run", "^(TestA|TestC)$")
    assert found == ("go", "test", *chosen, "-json", "./...")


def test_cargo() -> None:
    found = line("cargo test", "cargo test", "a::b", "c")
    assert found == ("cargo", "test", "--", "--exact", "a::b", "c")


@pytest.mark.parametrize("tool", ["jest", "vitest"])
def test_by_title(tool: str) -> None:
    found = line(tool, "npm run test --", "adds (1 + 1)", "a|b")
    assert found is not None
    assert found[-2] == "-t"
    assert re.fullmatch(found[-1], "adds (1 + 1)")
    assert re.fullmatch(found[-1], "a|b")
    assert not re.fullmatch(found[-1], "a")


def test_what_cannot_choose_is_not_run_again() -> None:
    assert line(None, "make test", "a") is None
    assert line("go test", "make test", "a") is None
    assert line("cargo test", "cargo test -- --nocapture", "a") is None


def test_too_many_are_not_run_again() -> None:
    names = [f"test_{n}" for n in range(MOST_RERUN + 1)]
    assert line("pytest", "pytest", *names) is None
    assert line("pytest", "pytest", *names[1:]) is not None


def test_failures_that_are_not_all_named_are_not_run_again() -> None:
    reading = Reading(counts=Counts(total=3, failed=3), failed=("a",))
    assert again(Command(("pytest",), "", "", tool="pytest"), reading) is None


def test_all_that_failed_passed_the_second_time() -> None:
    found = mended(failing("a", "b", passed=3), Reading(counts=Counts(total=2, passed=2)))
    assert found is not None
    assert found.counts == Counts(total=5, passed=5, flaky=2)
    assert (found.failed, found.errors) == ((), 0)
    assert [told.severity for told in found.diagnostics] == ["warning"]


@pytest.mark.parametrize(
    "second",
    [
        Reading(),
        Reading(counts=Counts()),
        Reading(counts=Counts(total=1, passed=1)),
        Reading(counts=Counts(total=2, passed=1, failed=1)),
        Reading(counts=Counts(total=2, skipped=2)),
    ],
)
def test_less_than_that_mends_nothing(second: Reading) -> None:
    assert mended(failing("a", "b"), second) is None
