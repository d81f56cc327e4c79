"""What was read of a run, whatever wrote it."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.gates.files import Files, inside, joined
from worker.gates.model import Counts, Diagnostic, Level
from worker.gates.text import message, name

MAX_DIAGNOSTICS = 1_000
MAX_FAILED = 500
MAX_LINE = 10_000_000


class Unreadable(ValueError):
    """A report is not what it should be; the message is for people."""


@dataclass(frozen=True)
class Reading:
    """Counts of tests, complaints, and names of failed tests.

    `errors` counts complaints that are errors, also those beyond the bound. `looked_at` is how
    many files a tool says it looked at. `problems` are reports that could not be used. `log` is
    what the tool printed inside its report.
    """

    counts: Counts | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    failed: tuple[str, ...] = ()
    errors: int = 0
    truncated: bool = False
    looked_at: int | None = None
    problems: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True)
class Places:
    """Turns paths of reports into paths of the tree.

    `roots` are where the program saw the tree; `directory` is where it ran.
    """

    files: Files
    roots: tuple[str, ...]
    directory: str

    def find(self, path: object) -> str | None:
        """The file of the tree that is meant; None where there is none."""
        if not isinstance(path, str) or not 0 < len(path) < 4_096:
            return None
        path = path.removeprefix("file://").replace("\\", "/")
        for root in self.roots:
            if path.startswith(f"{root}/"):
                return self._file(path[len(root) + 1 :])
        if path.startswith("/"):
            return None
        return self._file(joined(self.directory, path)) or self._file(path)

    def _file(self, path: str) -> str | None:
        path = posixpath.normpath(path)
        return path if inside(path) and self.files.is_file(path) else None


@dataclass
class Collector:
    """Gathers a reading within bounds."""

    places: Places
    total: int = 0
    passed: int = 0
    skipped: int = 0
    flaky: int = 0
    failures: int = 0
    errors: int = 0
    truncated: bool = False
    failed: list[str] = field(default_factory=list)
    diagnostics: dict[tuple[str, int, str], Diagnostic] = field(default_factory=dict)

    def test(self, outcome: str) -> None:
        """Count a test that passed, was skipped or flaky."""
        self.total += 1
        self.skipped += outcome == "skipped"
        self.flaky += outcome == "flaky"
        self.passed += outcome in ("passed", "flaky")

    def failure(self, test: str) -> None:
        """Count a test that failed."""
        self.total += 1
        self.failures += 1
        if len(self.failed) < MAX_FAILED:
            self.failed.append(name(test))

    def complain(
        self,
        path: object,
        line: object,
        text: object,
        *,
        severity: Level = "error",
        rule: object = None,
        column: object = None,
        end_line: object = None,
    ) -> None:
        """Add a complaint; one about no file of the tree is only counted."""
        self.errors += severity == "error"
        place = self.places.find(path)
        if place is None:
            return
        if len(self.diagnostics) >= MAX_DIAGNOSTICS:
            self.truncated = True
            return
        found = Diagnostic(
            path=place,
            line=whole(line) or 1,
            end_line=whole(end_line),
            column=whole(column),
            severity=severity,
            message=message(text) or "no message",
            rule=name(rule) or None,
        )
        self.diagnostics.setdefault((found.path, found.line, found.message), found)

    def reading(self, *, tests: bool, looked_at: int | None = None, log: str = "") -> Reading:
        """All that was gathered; `tests` where it was a report of tests."""
        counts = Counts(
            total=self.total,
            passed=self.passed,
            failed=self.failures,
            skipped=self.skipped,
            flaky=self.flaky,
        )
        return Reading(
            counts=counts if tests else None,
            diagnostics=tuple(self.diagnostics.values()),
            failed=tuple(self.failed),
            errors=self.errors,
            truncated=self.truncated,
            looked_at=looked_at,
            log=log,
        )


def whole(value: object) -> int | None:
    """A line or column that can be; also from text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        value = int(value)
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_LINE
    return value if usable and isinstance(value, int) else None


def together(readings: Iterable[Reading]) -> Reading:
    """All of them as one."""
    each = list(readings)
    counts = [reading.counts for reading in each if reading.counts]
    looked_at = [reading.looked_at for reading in each if reading.looked_at is not None]
    diagnostics = [found for reading in each for found in reading.diagnostics]
    failed = [test for reading in each for test in reading.failed]
    return Reading(
        counts=summed(counts) if counts else None,
        diagnostics=tuple(diagnostics[:MAX_DIAGNOSTICS]),
        failed=tuple(failed[:MAX_FAILED]),
        errors=sum(reading.errors for reading in each),
        truncated=any(r.truncated for r in each) or len(diagnostics) > MAX_DIAGNOSTICS,
        looked_at=sum(looked_at) if looked_at else None,
        problems=tuple(problem for reading in each for problem in reading.problems),
        log="\n".join(reading.log for reading in each if reading.log),
    )


def summed(counts: Iterable[Counts]) -> Counts:
    """Counts of several runs together."""
    each = list(counts)
    return Counts(
        total=sum(c.total for c in each),
        passed=sum(c.passed for c in each),
        failed=sum(c.failed for c in each),
        skipped=sum(c.skipped for c in each),
        flaky=sum(c.flaky for c in each),
    )
