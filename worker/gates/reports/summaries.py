"""Counts of tests from the last lines that runners print."""

import re
from collections.abc import Callable

from worker.gates.model import Counts
from worker.gates.reports.reading import MAX_FAILED, Reading, summed
from worker.gates.text import name

MAX_LENGTH = 1_000
# What turbo, lerna and pnpm put before each line that a package prints.
_PREFIX = re.compile(r"^@?[\w./-]{1,100}(?:(?::| )[\w:-]{1,60})?: ")
_PAIRS = re.compile(r"(\d{1,9}) (passed|failed|skipped|todo|xfailed|xpassed|errors?|pending|flaky)")
_PYTEST = re.compile(r"=*\s*(\d+ [a-z]+(?:, \d+ [a-z]+)*) in \d[\d.]*s.*")
_NO_PYTEST = re.compile(r"=*\s*no tests (?:ran|collected).*")
_JEST = re.compile(r"\s*Tests:\s+(.*\b\d+ total)")
_VITEST = re.compile(r"\s*Tests\s+(\d+ \w+(?: \| \d+ \w+)*) \((\d{1,9})\)")
_UNITTEST = re.compile(r"Ran (\d{1,9}) tests? in [\d.]+s")
_UNITTEST_END = re.compile(r"(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?")
_UNITTEST_PAIR = re.compile(
    r"(failures|errors|skipped|expected failures|unexpected successes)=(\d{1,9})"
)
_MOCHA = re.compile(r"\s*(\d{1,9}) (passing|failing|pending)\b.*")
_TALLY = re.compile(r"\s+(\d{1,9}) (pass|fail|skip|flaky)(?:ed|ped)?(?: \(.*\))?")
_NODE = re.compile(r"\s*(?:#|ℹ) (tests|pass|fail|skipped|todo|cancelled) (\d{1,9})")  # noqa: RUF001
_CARGO = re.compile(r"test result: \w+\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored;.*")
_MAVEN = re.compile(
    r"(?:\[\w+\] )?Tests run: (\d{1,9}), Failures: (\d{1,9}), Errors: (\d{1,9}), Skipped: (\d{1,9})"
)
_FAILED = re.compile(r"(?:FAILED|ERROR) (\S+\.py(?:::\S+)?)(?: - .*)?|test (\S+) \.\.\. FAILED")


def read(text: str) -> Reading:
    """Counts, where a runner's summary is found; those of several runs are added up."""
    lines = [
        each
        for line in text.splitlines()
        if len(line) <= MAX_LENGTH
        for each in dict.fromkeys((line, _PREFIX.sub("", line, count=1)))
    ]
    found = next((c for count in _COUNTERS if (c := count(lines)) is not None), None)
    failed = (m[1] or m[2] for line in lines if (m := _FAILED.fullmatch(line)))
    names = dict.fromkeys(map(name, failed))
    return Reading(counts=found, failed=tuple(names)[:MAX_FAILED])


def _counts(passed: int, failed: int, skipped: int, flaky: int = 0) -> Counts:
    total = passed + failed + skipped
    return Counts(total=total, passed=passed, failed=failed, skipped=skipped, flaky=flaky)


def _worded(words: str) -> Counts:
    pairs: dict[str, int] = {}
    for number, outcome in _PAIRS.findall(words):
        pairs[outcome] = pairs.get(outcome, 0) + int(number)
    flaky = pairs.get("flaky", 0)
    return _counts(
        pairs.get("passed", 0) + pairs.get("xpassed", 0) + flaky,
        pairs.get("failed", 0) + pairs.get("error", 0) + pairs.get("errors", 0),
        sum(pairs.get(word, 0) for word in ("skipped", "todo", "pending", "xfailed")),
        flaky,
    )


def _each(lines: list[str], pattern: re.Pattern[str]) -> list[re.Match[str]]:
    return [match for line in lines if (match := pattern.fullmatch(line))]


def _pytest(lines: list[str]) -> Counts | None:
    found = [match[1] for match in _each(lines, _PYTEST) if _PAIRS.search(match[1])]
    if not found:
        return Counts() if _each(lines, _NO_PYTEST) else None
    return summed(map(_worded, found))


def _jest(lines: list[str]) -> Counts | None:
    found = [_worded(match[1]) for match in _each(lines, _JEST)]
    return summed(found) if found else None


def _vitest(lines: list[str]) -> Counts | None:
    found = [_worded(match[1]) for match in _each(lines, _VITEST)]
    return summed(found) if found else None


def _unittest(lines: list[str]) -> Counts | None:
    found = list[Counts]()
    total: int | None = None
    for line in lines:
        if ran := _UNITTEST.fullmatch(line):
            total = int(ran[1])
        elif total is not None and (end := _UNITTEST_END.fullmatch(line)):
            pairs = {key: int(value) for key, value in _UNITTEST_PAIR.findall(end[1] or "")}
            failed = sum(pairs.get(k, 0) for k in ("failures", "errors", "unexpected successes"))
            skipped = pairs.get("skipped", 0)
            found.append(_counts(max(0, total - failed - skipped), failed, skipped))
            total = None
    return summed(found) if found else None


def _mocha(lines: list[str]) -> Counts | None:
    found = {match[2]: int(match[1]) for match in _each(lines, _MOCHA)}
    if "passing" not in found:
        return None
    return _counts(found["passing"], found.get("failing", 0), found.get("pending", 0))


def _tallied(lines: list[str]) -> Counts | None:
    """A line an outcome, as Playwright and Bun print them."""
    found = {match[2]: int(match[1]) for match in _each(lines, _TALLY)}
    if not found.keys() & {"pass", "fail"}:
        return None
    flaky = found.get("flaky", 0)
    passed, failed = found.get("pass", 0) + flaky, found.get("fail", 0)
    return _counts(passed, failed, found.get("skip", 0), flaky)


def _node(lines: list[str]) -> Counts | None:
    found: dict[str, int] = {}
    for match in _each(lines, _NODE):
        found[match[1]] = found.get(match[1], 0) + int(match[2])
    if "tests" not in found or "pass" not in found:
        return None
    failed = found.get("fail", 0) + found.get("cancelled", 0)
    return _counts(found["pass"], failed, found.get("skipped", 0) + found.get("todo", 0))


def _cargo(lines: list[str]) -> Counts | None:
    found = [_counts(*map(int, match.groups())) for match in _each(lines, _CARGO)]
    return summed(found) if found else None


def _maven(lines: list[str]) -> Counts | None:
    """The last such line is the sum of those before it."""
    found = _each(lines, _MAVEN)
    if not found:
        return None
    total, failures, errors, skipped = map(int, found[-1].groups())
    return _counts(max(0, total - failures - errors - skipped), failures + errors, skipped)


_COUNTERS: tuple[Callable[[list[str]], Counts | None], ...] = (
    _pytest,
    _jest,
    _vitest,
    _unittest,
    _node,
    _cargo,
    _maven,
    _mocha,
    _tallied,
)
