"""Checks that a Makefile names as targets."""

import re
from dataclasses import dataclass, field

from worker.gates.detection.data import text
from worker.gates.detection.found import Detection, Found, Hollow, Missing
from worker.gates.detection.shell import watches, why_it_cannot_fail
from worker.gates.files import Files
from worker.gates.model import Command, GateType

PATHS = ("GNUmakefile", "makefile", "Makefile")
TARGETS: dict[GateType, tuple[str, ...]] = {
    "unit-tests": (
        "unit-tests", "unit-test", "test-unit", "tests-unit", "unit", "test", "tests", "pytest",
    ),
    "integration-tests": (
        "integration-tests", "integration-test", "test-integration", "integration", "test-e2e",
        "e2e",
    ),
    "type-check": ("type-check", "typecheck", "check-types", "types", "typing", "mypy"),
    "lint": ("lint", "lint-check", "check-lint", "linters", "ruff", "flake8", "eslint"),
}  # fmt: skip
MAX_DEPTH = 5
_RULE = re.compile(r"([\w./ -]+?)\s*::?(?![=:])([^=#]*)(?:#.*)?")


@dataclass
class _Rule:
    needs: list[str] = field(default_factory=list)
    recipe: list[str] = field(default_factory=list)


def find(files: Files, gate: GateType) -> Detection:
    """The first target for `gate` of the Makefile at the root."""
    path = next((path for path in PATHS if files.is_file(path)), None)
    rules = _rules(text(files, path) or "") if path else {}
    hollow: Detection = Missing()
    for name in TARGETS[gate]:
        if name in rules:
            detection = _target(rules, name, f"{path} {name}")
            if isinstance(detection, Found):
                return detection
            hollow = detection
    return hollow


def _target(rules: dict[str, _Rule], name: str, source: str) -> Detection:
    lines = _lines(rules, name, MAX_DEPTH)
    if lines is not None and any(watches(line) for line in lines):
        return Missing(f"the target {name} waits for changes and never ends")
    if lines is not None and (reason := _why_it_cannot_fail(lines)):
        return Hollow(f"make {name}", source, reason)
    return Found(Command(("make", name), "", source))


def _lines(rules: dict[str, _Rule], name: str, depth: int) -> list[str] | None:
    """Every line that `name` runs; None where that cannot be read."""
    rule = rules.get(name)
    if rule is None or depth == 0:
        return None
    lines = list(rule.recipe)
    for need in rule.needs:
        inner = _lines(rules, need, depth - 1)
        if inner is None:
            return None
        lines += inner
    return lines


def _why_it_cannot_fail(lines: list[str]) -> str | None:
    """Make stops at the first line that fails, save those marked with `-`."""
    if not lines:
        return "it has nothing to run"
    reasons = [_why(line) for line in lines]
    return reasons[-1] if all(reasons) else None


def _why(line: str) -> str | None:
    marks = line[: len(line) - len(line.lstrip("@-+ "))]
    if "-" in marks:
        return f"`{line}` is marked with `-`, which hides every failure"
    return why_it_cannot_fail(line.lstrip("@-+ ").replace("$(", "$").replace("`", ""))


def _rules(content: str) -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {}
    current: list[_Rule] = []
    for line in content.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        if line.startswith("\t"):
            for rule in current if line.strip(" \t@") else ():
                rule.recipe.append(line.strip())
        elif (match := _RULE.fullmatch(line)) and not line.startswith(" "):
            needs, _, inline = match[2].partition(";")
            current = [rules.setdefault(name, _Rule()) for name in match[1].split()]
            for rule in current:
                rule.needs += [need for need in needs.split() if need != "|"]
                rule.recipe += [inline.strip()] if inline.strip() else []
        elif line.strip() and not line.startswith("#"):
            current = []
    return rules
