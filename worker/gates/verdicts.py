"""From what ran and what was read to a verdict: pure, and in favour of nobody."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worker.gates.model import Counts, GateType, Verdict
from worker.gates.reports import Reading
from worker.gates.text import name, telling_line

TEST_GATES: frozenset[GateType] = frozenset({"unit-tests", "integration-tests"})
MOST_NAMED = 3
_NOT_FOUND, _NOT_RUNNABLE, _KILLED, _NO_TESTS_OF_PYTEST = 127, 126, 9, 5

# With these a tool says that it could not do its work, and nothing about the tree.
_TOOL_FAILED = {
    "pytest": {3, 4},
    "ruff check": {2},
    "eslint": {2},
    "mypy": {2},
    "ty check": {2, 101},
}
_NOTHING = re.compile(
    r"no tests? (?:were )?(?:ran|found|collected|executed)|no test files? found|ran 0 tests"
    r"|collected 0 items|no python files found|there are no \.py\[i\] files|error TS18003"
    r"|no (?:go )?files to (?:analyze|lint|check)|no source files found"
    r"|no tasks were (?:executed|run)|no projects? (?:matched|found)"
    r"|no files matching the pattern|no packages? found with the lifecycle script"
    r"|matched no packages",
    re.IGNORECASE,
)
_MISSING = (
    re.compile(r"(?:^|: )(?:\d+: )?([\w./@-]{1,100}): (?:command )?not found\s*$", re.MULTILINE),
    re.compile(r"No module named '?([\w.]{1,100})'?"),
    re.compile(r"command not found: ([\w./@-]{1,100})", re.IGNORECASE),
    re.compile(r"the command ([\w./-]{1,100}) could not be found"),
    re.compile(r"Cannot find (?:module|package) '((?:@[\w-]{1,60}/)?\w[\w./-]{0,100})'"),
    re.compile(r"no such command: `([\w-]{1,100})`"),
    re.compile(r"Failed to spawn: `([\w./-]{1,100})`"),
    re.compile(r"error: could not find `([\w.-]{1,100})`"),
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `over` is the limit that was met, `seconds` the time it had."""

    exit_code: int | None
    signal: int | None = None
    timed_out: bool = False
    over: Literal["memory", "processes", "disk", "output"] | None = None
    seconds: float = 0.0
    log: str = ""


Judged = tuple[Verdict, str]


def judge(
    outcome: Outcome,
    reading: Reading,
    gate: GateType,
    tool: str | None = None,
    belongs: Callable[[str], bool] = lambda module: False,
) -> Judged:
    """The verdict and its reason in one sentence.

    `belongs` tells whether a module that could not be imported is the project's own: where it is
    not, a dependency is missing, and the tree is not to blame.
    """
    return (
        _stopped(outcome)
        or _could_not_run(outcome, reading, tool, belongs)
        or _ran_nothing(outcome, reading, gate, tool)
        or _complained(outcome, reading, gate)
        or _ended_badly(outcome)
        or _passed(reading, gate)
    )


def _stopped(outcome: Outcome) -> Judged | None:
    if outcome.timed_out:
        return "timeout", f"It did not end within {outcome.seconds:g} s"
    if outcome.over:
        return "error", f"It was ended because it met the limit on {outcome.over}"
    if outcome.signal == _KILLED or outcome.exit_code == 128 + _KILLED:
        return "error", "It was killed, as happens where memory runs out"
    return None


def _could_not_run(
    outcome: Outcome, reading: Reading, tool: str | None, belongs: Callable[[str], bool]
) -> Judged | None:
    code = outcome.exit_code
    if not code or (reading.counts and reading.counts.passed):
        return None
    missing = next((m[1] for shape in _MISSING if (m := shape.search(outcome.log))), None)
    of_the_tree = reading.errors and not reading.counts
    if missing and not of_the_tree and not belongs(missing):
        return "error", f"It could not run: {missing} is not installed"
    if code in (_NOT_FOUND, _NOT_RUNNABLE) and not _any_failed(reading):
        return "error", f"It could not be run: {telling_line(outcome.log) or f'exit code {code}'}"
    if code in _TOOL_FAILED.get(tool or "", ()) and not _any_failed(reading):
        nothing = _nothing(outcome)
        return None if nothing else ("error", f"{tool} failed: {telling_line(outcome.log)}")
    return None


def _any_failed(reading: Reading) -> bool:
    return bool(reading.errors or (reading.counts and reading.counts.failed))


def _ran_nothing(
    outcome: Outcome, reading: Reading, gate: GateType, tool: str | None
) -> Judged | None:
    none_ran = tool == "pytest" and outcome.exit_code == _NO_TESTS_OF_PYTEST
    if _any_failed(reading) or (outcome.exit_code and not none_ran and not _nothing(outcome)):
        return None
    counts = reading.counts
    if gate in TEST_GATES and counts is not None and not counts.passed:
        if counts.total:
            return "vacuous", f"All {counts.total} tests were skipped"
        return "vacuous", "No test was run"
    if reading.looked_at == 0:
        return "vacuous", "No file was looked at"
    told = None if counts or reading.looked_at else _nothing(outcome)
    return ("vacuous", f"Nothing was checked: {told}") if told else None


def _nothing(outcome: Outcome) -> str | None:
    """The words with which a tool says that there was nothing for it to do."""
    told = _NOTHING.search(outcome.log)
    return name(told[0]) if told else None


def _complained(outcome: Outcome, reading: Reading, gate: GateType) -> Judged | None:
    counts = reading.counts
    despite = "" if outcome.exit_code else ", and yet the command ended well"
    if gate in TEST_GATES and counts and counts.failed:
        of = f"{counts.failed} of {plural(counts.total, 'test')} failed"
        return "fail", f"{of}{_named(reading)}{despite}"
    if gate not in TEST_GATES and reading.errors:
        return "fail", f"{plural(reading.errors, 'error')}{_in_files(reading)}{despite}"
    return None


def _named(reading: Reading) -> str:
    if not reading.failed:
        return ""
    more = len(reading.failed) - MOST_NAMED
    names = ", ".join(reading.failed[:MOST_NAMED])
    return f": {names}" + (f" and {more} more" if more > 0 else "")


def _in_files(reading: Reading) -> str:
    files = len({told.path for told in reading.diagnostics if told.severity == "error"})
    return f" in {plural(files, 'file')}" if files and not reading.truncated else ""


def _ended_badly(outcome: Outcome) -> Judged | None:
    if outcome.exit_code == 0:
        return None
    told = telling_line(outcome.log)
    how = f"signal {outcome.signal}" if outcome.signal else f"exit code {outcome.exit_code}"
    return "fail", f"It ended with {how}" + (f": {told}" if told else "")


def _passed(reading: Reading, gate: GateType) -> Judged:
    if gate not in TEST_GATES:
        warnings = sum(told.severity == "warning" for told in reading.diagnostics)
        return "pass", "No errors" + (f", {plural(warnings, 'warning')}" if warnings else "")
    if reading.counts is None:
        return "pass", "It ended well; how many tests there were could not be read"
    return "pass", _told(reading.counts)


def _told(counts: Counts) -> str:
    skipped = f", {counts.skipped} skipped" if counts.skipped else ""
    flaky = f", {counts.flaky} of them only when run again" if counts.flaky else ""
    return f"{plural(counts.passed, 'test')} passed{flaky}{skipped}"


def plural(number: int, noun: str) -> str:
    """`number` of them, in words that fit."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
