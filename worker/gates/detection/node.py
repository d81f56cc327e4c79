"""Checks that package.json names: the root's scripts first, else the one package that has them."""

import re

from worker.gates.detection.found import Detection, Found, Hollow, Missing
from worker.gates.detection.packages import (
    MANIFEST,
    Package,
    Step,
    asked_through,
    flat,
    nested,
    package_at,
    steps,
)
from worker.gates.detection.shell import watches, why_it_cannot_fail
from worker.gates.files import Files, joined
from worker.gates.model import Command, GateType

SCRIPTS: dict[GateType, tuple[str, ...]] = {
    "unit-tests": ("test:unit", "unit-test", "unit-tests", "unit", "test", "tests", "test:ci"),
    "integration-tests": (
        "test:integration", "test:int", "integration-test", "integration-tests", "integration",
        "test:e2e", "e2e",
    ),
    "type-check": (
        "type-check", "typecheck", "type:check", "types:check", "check-types", "check:types",
        "ts:check", "check:ts", "typescript", "types", "tsc",
    ),
    "lint": ("lint", "lint:check", "lint:ci", "eslint", "lint:js", "lint:ts", "lint:all"),
}  # fmt: skip
_SPREADERS = frozenset({"turbo", "lerna", "nx"})
_SPREADING = frozenset({"--workspaces", "-ws", "-r", "--recursive", "workspaces"})
_PLACEHOLDER = re.compile(r"no test specified", re.IGNORECASE)


def find(files: Files, gate: GateType) -> Detection:
    """The check of `gate` that the root's package names."""
    package = package_at(files, "")
    if package is None:
        broken = files.is_file(MANIFEST)
        return Missing(f"{MANIFEST} is not valid JSON" if broken else "")
    return in_package(files, package, gate)


def find_nested(files: Files, gate: GateType) -> Detection:
    """The check of the only package below the root that names one."""
    found = [(package, in_package(files, package, gate)) for package in nested(files)]
    named = [(package, check) for package, check in found if not isinstance(check, Missing)]
    if len(named) == 1:
        return named[0][1]
    places = ", ".join(package.directory for package, _ in named[:5])
    return Missing(f"several packages have one ({places})" if named else "")


def in_package(files: Files, package: Package, gate: GateType) -> Detection:
    """The first script for `gate` that ends by itself; one that says something, if there is."""
    hollow: Detection = Missing()
    for name in SCRIPTS[gate]:
        if name not in package.scripts:
            continue
        detection = _script(files, package, name)
        if isinstance(detection, Found):
            return detection
        if not isinstance(hollow, Hollow):
            hollow = detection
    return hollow


def _script(files: Files, package: Package, name: str) -> Detection:
    line = package.scripts[name]
    found = steps(files, package, line)
    meaning = flat(found) if found else line
    if _PLACEHOLDER.search(line):
        return Missing(f"the script {name} is npm's placeholder")
    if watches(meaning):
        return Missing(f"the script {name} waits for changes and never ends")
    source = f"{joined(package.directory, MANIFEST)} scripts.{name}"
    if reason := why_it_cannot_fail(meaning):
        return Hollow(line, source, reason)
    if found and _only_to_hollow_ones(files, found):
        return Hollow(line, source, "in no package can the script that it calls fail")
    command = Command((package.runner, "run", name), package.directory, source)
    return Found(asked_through(command, found, npms=int(package.runner == "npm")))


def _only_to_hollow_ones(files: Files, found: list[Step]) -> bool:
    """Whether this calls a script of every package, and none of these scripts can fail."""
    words = found[0].command.words
    if len(found) != 1 or not (words[0] in _SPREADERS or _SPREADING.intersection(words)):
        return False
    called = {word.removeprefix("--target=") for word in words}
    lines = [
        line
        for package in nested(files)
        for name, line in package.scripts.items()
        if name in called
    ]
    return bool(lines) and all(map(why_it_cannot_fail, lines))
