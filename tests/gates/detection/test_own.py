"""The project's own configuration file."""

from pathlib import Path

import pytest

from tests.gates.detection.finding import command, hollow, missing, package
from tests.gates.trees import write
from worker.gates.detection import Malformed, detect
from worker.gates.model import ReportFile

CONFIGURED = """\
gates:
  unit-tests:
    command: house-tests --all
    directory: ./apps/desk/
    reports:
      - path: reports/*.xml
        format: junit
      - out.xml
    environment: {NODE_ENV: test}
  lint: ruff check src
  type-check: false
  integration-tests: [house-tests, "a b"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {".switchyard.yml": CONFIGURED, "apps/desk/a.txt": ""}
    return write(tmp_path, {**files, "package.json": package(test="jest", lint="eslint .")})


def test_all_that_can_be_said(tree: Path) -> None:
    found = command(tree, "unit-tests")
    assert found.argv == ("house-tests", "--all")
    assert (found.directory, found.environment) == ("apps/desk", {"NODE_ENV": "test"})
    assert found.source == ".switchyard.yml gates.unit-tests"
    assert found.reports == (ReportFile("reports/*.xml", "junit"), ReportFile("out.xml", "junit"))


def test_a_known_program_is_asked_for_its_report(tree: Path) -> None:
    found = command(tree, "lint")
    assert found.argv[:3] == ("ruff", "check", "src")
    assert found.reports[0].format == "ruff-json"


@pytest.mark.parametrize("calling", ["npm run lint", "npm test"])
def test_a_script_that_it_names_is_asked_for_its_report(tmp_path: Path, calling: str) -> None:
    scripts = package(lint="eslint .", test="eslint .")
    write(tmp_path, {".switchyard.yml": f"gates: {{lint: {calling}}}", "package.json": scripts})
    assert command(tmp_path, "lint").argv[len(calling.split()) :][:3] == ("--", "-f", "json")


def test_words_are_taken_as_they_are(tree: Path) -> None:
    assert command(tree, "integration-tests").argv == ("house-tests", "a b")


def test_a_check_can_be_switched_off(tree: Path) -> None:
    assert missing(tree, "type-check") == "switched off in .switchyard.yml"


def test_what_it_does_not_name_is_looked_for_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, {".switchyard.yml": "gates: {}\n", "Makefile": "lint:\n\thouse-style\n"})
    assert command(tmp_path, "lint").argv == ("make", "lint")


def test_shell_is_left_to_the_shell(tmp_path: Path) -> None:
    write(tmp_path, {".switchyard.yml": "gates: {lint: 'a && b $HOME'}\n"})
    assert command(tmp_path, "lint").argv == ("sh", "-c", "a && b $HOME")


@pytest.mark.parametrize("line", ["ruff check . || true", "npm run lint", "echo fine"])
def test_a_command_that_cannot_fail(tmp_path: Path, line: str) -> None:
    own = f"gates:\n  lint: {line}\n"
    write(tmp_path, {".switchyard.yml": own, "package.json": package(lint="exit 0")})
    assert hollow(tmp_path, "lint").text == line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("gates: [", "line 1: did not find expected node content"),
        ("- a", "must be a mapping with the key `gates`"),
        ("gates: 3", "gates: must be a mapping of gate types"),
        ("gates: {tests: a}", "gates.tests: not a gate; there are unit-tests, "),
        ("gates: {lint: {}}", "gates.lint.command: must be a line of shell or a list of words"),
        ("gates: {lint: {command: a, dir: b}}", "gates.lint.dir: not known; there are command, "),
        ("gates: {lint: {command: [a, [b]]}}", "gates.lint.command: must be a line of shell"),
        ("gates: {lint: {command: a, directory: ../b}}", "gates.lint.directory: must be a folder"),
        ("gates: {lint: {command: a, directory: /etc}}", "gates.lint.directory: must be a folder"),
        ("gates: {lint: {command: a, directory: no}}", "gates.lint.directory: there is no"),
        ("gates: {lint: {command: a, reports: b}}", "gates.lint.reports: must be a list"),
        ("gates: {lint: {command: a, reports: [b.json]}}", "gates.lint.reports[0].format: must be"),
        ("gates: {lint: {command: a, reports: [{path: ../b.xml, format: junit}]}}",
         "gates.lint.reports[0].path: must be a path in the repository"),
        ("gates: {lint: {command: a, environment: {A-B: c}}}", "gates.lint.environment.A-B: must"),
        ("gates: {lint: vitest --watch}", "gates.lint.command: waits for changes and never ends"),
        ("gates: &a {lint: *a}", "aliases are not read"),
        ("gates: " + "[" * 30, "nested deeper than 20 levels"),
        ("gates: \x07", "characters that YAML does not allow"),
        ("a: " + "b" * 70_000, "longer than 64000 bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, content: str, reason: str) -> None:
    found = detect(write(tmp_path, {".switchyard.yml": content}), "lint")
    assert isinstance(found, Malformed)
    assert found.reason.startswith(f".switchyard.yml: {reason}")
