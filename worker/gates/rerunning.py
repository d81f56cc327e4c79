"""The same command again, for only those of its tests that failed."""

import re
from collections.abc import Sequence
from dataclasses import replace

from worker.gates.model import Command, Diagnostic
from worker.gates.reports import Reading

MOST_RERUN = 50
"""With more failed tests than this something is broken, and not flaky."""


def again(command: Command, reading: Reading) -> Command | None:
    """`command` for the failed tests; None where its tool cannot choose them or too many failed."""
    counts, failed = reading.counts, reading.failed
    if counts is None or not failed or not len(failed) == counts.failed <= MOST_RERUN:
        return None
    build = _BUILDERS.get(command.tool or "")
    argv = build(command.argv, failed) if build else None
    return replace(command, argv=argv) if argv else None


def _pytest(argv: tuple[str, ...], failed: Sequence[str]) -> tuple[str, ...]:
    return (*argv, "--last-failed", "--last-failed-no-failures=none")


def _by_title(argv: tuple[str, ...], failed: Sequence[str]) -> tuple[str, ...]:
    return (*argv, "-t", f"^({'|'.join(map(_escaped, failed))})$")


def _escaped(title: str) -> str:
    """`title` for a regular expression of JavaScript, which refuses needless escapes."""
    return re.sub(r"[.*+?^${}()|[\]\\/]", r"\\\g<0>", title)


def _go(argv: tuple[str, ...], failed: Sequence[str]) -> tuple[str, ...] | None:
    if argv[:2] != ("go", "test"):
        return None
    tops = dict.fromkeys(test.partition("/")[0] for test in failed)
    return (*argv[:2], "-count=1", "-run", f"^({'|'.join(map(re.escape, tops))})$", *argv[2:])


def _cargo(argv: tuple[str, ...], failed: Sequence[str]) -> tuple[str, ...] | None:
    return None if "--" in argv else (*argv, "--", "--exact", *failed)


_BUILDERS = {
    "pytest": _pytest,
    "jest": _by_title,
    "vitest": _by_title,
    "go test": _go,
    "cargo test": _cargo,
}


def mended(first: Reading, second: Reading) -> Reading | None:
    """The first run's reading where all that failed passed the second time; else None."""
    before, after = first.counts, second.counts
    if before is None or after is None or after.failed or after.passed < len(first.failed):
        return None
    flaky = before.flaky + before.failed
    passed = before.passed + before.failed
    counts = before.model_copy(update={"passed": passed, "failed": 0, "flaky": flaky})
    return replace(first, counts=counts, failed=(), errors=0, diagnostics=_as_warnings(first))


def _as_warnings(reading: Reading) -> tuple[Diagnostic, ...]:
    told = (found.model_copy(update={"severity": "warning"}) for found in reading.diagnostics)
    return tuple(told)
