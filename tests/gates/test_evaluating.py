"""Whole gates: real tools, in the real sandbox."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.gates.detection.finding import package
from tests.gates.trees import write
from worker.gates.errors import SandboxUnavailable
from worker.gates.evaluating import Policy, evaluate
from worker.gates.model import Counts, Evaluation, GateType
from worker.gates.sandbox import Limits, Ran, Sandbox

LIMITS = Limits(seconds=50.0, memory_bytes=1024**3, processes=128)
# Plugins of this environment would take longer to load than the tests to run.
UNENCUMBERED = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PYTEST = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'
PASSING = "def test_sum() -> None:\n    assert 1 + 1 == 2\n"
FAILING = "def test_product() -> None:\n    assert 2 * 3 == 5\n"
FLAKY = """\
from pathlib import Path

def test_flaky() -> None:
    seen = Path("seen").exists()
    Path("seen").touch()
    assert seen
"""
RUNS = "from pathlib import Path\n\n\ndef test_runs() -> None:\n    with open('runs', 'a') as f:\n"
RUNS += "        f.write('x')\n"
SCRIPT = "test('sums', () => assert.strictEqual(1 + 1, {}));\n"
NODE_TEST = "const test = require('node:test');\nconst assert = require('node:assert');\n" + SCRIPT

node = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine")


class Bench:
    """Evaluates gates of one tree."""

    def __init__(self, tree: Path, sandbox: Sandbox) -> None:
        self.tree = tree
        self._sandbox = sandbox

    async def told(
        self, gate: GateType, files: Mapping[str, str], limits: Limits = LIMITS
    ) -> Evaluation:
        """The evaluation of `gate` of a tree with `files`."""
        tree = write(self.tree, files)
        policy = Policy(limits=limits, environment=UNENCUMBERED)
        return await evaluate(tree, gate, policy, self._sandbox)


@pytest.fixture
def bench(tmp_path: Path, python_sandbox: Sandbox) -> Bench:
    return Bench(tmp_path, python_sandbox)


async def test_pytest_that_passes(bench: Bench) -> None:
    told = await bench.told("unit-tests", {"pyproject.toml": PYTEST, "tests/test_a.py": PASSING})
    assert (told.verdict, told.reason, told.exit_code) == ("pass", "1 test passed", 0)
    assert told.counts == Counts(total=1, passed=1)
    assert told.source == "pyproject.toml [tool.pytest]"
    assert told.command is not None
    assert told.command.startswith("pytest ")
    assert "1 passed" in told.log
    assert told.environment["limit seconds"] == "50"


async def test_pytest_that_fails(bench: Bench) -> None:
    tests = {"pyproject.toml": PYTEST, "tests/test_a.py": PASSING + FAILING}
    told = await bench.told("unit-tests", tests)
    assert (told.verdict, told.exit_code, told.flaky) == ("fail", 1, ())
    assert told.counts == Counts(total=2, passed=1, failed=1)
    assert told.reason == "1 of 2 tests failed: tests/test_a.py::test_product"
    (found,) = told.diagnostics
    assert (found.path, found.line, found.severity) == ("tests/test_a.py", 4, "error")
    assert "assert (2 * 3) == 5" in found.message


async def test_a_flaky_test_is_run_once_more_and_alone(bench: Bench) -> None:
    tests = {"tests/test_flaky.py": FLAKY, "tests/test_runs.py": RUNS}
    told = await bench.told("unit-tests", {"pyproject.toml": PYTEST, **tests})
    assert (told.verdict, told.flaky) == ("pass", ("tests/test_flaky.py::test_flaky",))
    assert told.counts == Counts(total=2, passed=2, flaky=1)
    assert told.reason == "2 tests passed, 1 of them only when run again"
    assert [found.severity for found in told.diagnostics] == ["warning"]
    assert (bench.tree / "runs").read_text() == "x"


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ({"tests/a.txt": ""}, "No test was run"),
        ({"tests/test_a.py": "import pytest\npytest.skip('later', allow_module_level=True)\n"},
         "All 1 tests were skipped"),
    ],
)  # fmt: skip
async def test_pytest_that_runs_nothing(bench: Bench, tests: dict[str, str], reason: str) -> None:
    told = await bench.told("unit-tests", {"pyproject.toml": PYTEST, **tests})
    assert (told.verdict, told.reason) == ("vacuous", reason)


async def test_a_dependency_that_is_not_installed(bench: Bench) -> None:
    tests = {"tests/test_a.py": "import no_such_library\n\n\n" + PASSING}
    told = await bench.told("unit-tests", {"pyproject.toml": PYTEST, **tests})
    assert (told.verdict, told.reason) == (
        "error",
        "It could not run: no_such_library is not installed",
    )


async def test_a_module_of_the_trees_own_that_is_not_found(bench: Bench) -> None:
    tests = {"tests/test_a.py": "import ledger.books\n", "ledger/__init__.py": ""}
    told = await bench.told("unit-tests", {"pyproject.toml": PYTEST, **tests})
    assert told.verdict == "fail"


@pytest.mark.parametrize("place", ["src/ledger", "ledger"])
async def test_the_projects_own_code_is_found(bench: Bench, place: str) -> None:
    code = {f"{place}/__init__.py": "", f"{place}/books.py": "BOOKS = 3\n"}
    test = "from ledger.books import BOOKS\n\n\ndef test_a() -> None:\n    assert BOOKS == 3\n"
    told = await bench.told(
        "unit-tests", {"pytest.ini": "[pytest]\n", "tests/test_a.py": test, **code}
    )
    assert told.verdict == "pass"


async def test_a_runner_that_is_not_installed(bench: Bench) -> None:
    told = await bench.told("lint", {".switchyard.yml": "gates: {lint: no-such-linter src}\n"})
    assert told.verdict == "error"
    assert "no-such-linter" in told.reason


async def test_unittest_of_the_standard_library(bench: Bench) -> None:
    test = "import unittest\n\n\nclass A(unittest.TestCase):\n    def test_a(self):\n"
    files = {"setup.py": "", "tests/__init__.py": "", "tests/test_a.py": test + "        pass\n"}
    told = await bench.told("unit-tests", files)
    assert (told.verdict, told.counts) == ("pass", Counts(total=1, passed=1))


@pytest.mark.parametrize(
    ("source", "verdict", "reason"),
    [
        ("X = 1\n", "pass", "No errors"),
        ("import os\n", "fail", "1 error in 1 file"),
        ("x = (\n", "fail", "1 error in 1 file"),
        (None, "vacuous", "No file was looked at"),
    ],
)
async def test_ruff(bench: Bench, source: str | None, verdict: str, reason: str) -> None:
    files = {} if source is None else {"ledger/a.py": source}
    told = await bench.told("lint", {"ruff.toml": "fix = true\n", **files})
    assert (told.verdict, told.reason) == (verdict, reason)
    assert [found.path for found in told.diagnostics] == ["ledger/a.py"] * (verdict == "fail")


async def test_ruff_whose_settings_are_wrong(bench: Bench) -> None:
    told = await bench.told("lint", {"ruff.toml": "no-such-setting = 1\n", "a.py": "X = 1\n"})
    assert told.verdict == "error"


async def test_mypy(bench: Bench) -> None:
    files = {"pyproject.toml": "[tool.mypy]\npretty = true\n", "src/a.py": "x: int = 'a'\n"}
    told = await bench.told("type-check", files)
    assert (told.verdict, told.reason) == ("fail", "1 error in 1 file")
    (found,) = told.diagnostics
    assert (found.path, found.line, found.rule) == ("src/a.py", 1, "assignment")
    assert found.message.startswith("Incompatible types in assignment")


@node
@pytest.mark.parametrize(
    ("value", "verdict", "counts"),
    [("2", "pass", Counts(total=1, passed=1)), ("3", "fail", Counts(total=1, failed=1))],
)
async def test_npm_and_the_runner_of_node(
    bench: Bench, value: str, verdict: str, counts: Counts
) -> None:
    files = {"package.json": package(test="node --test"), "a.test.js": NODE_TEST.format(value)}
    told = await bench.told("unit-tests", files)
    assert (told.verdict, told.counts) == (verdict, counts)
    assert told.command == "npm run test"


@node
async def test_a_script_whose_program_is_not_installed(bench: Bench) -> None:
    told = await bench.told("lint", {"package.json": package(lint="eslint src")})
    assert (told.verdict, told.reason) == ("error", "It could not run: eslint is not installed")


async def test_a_report_that_was_committed_is_not_taken_for_this_runs(bench: Bench) -> None:
    forged = "<testsuite><testcase name='a'/></testsuite>"
    own = "gates: {unit-tests: {command: test -d out, reports: [out/a.xml, b.xml]}}\n"
    files = {".switchyard.yml": own, "out/a.xml": forged}
    told = await bench.told("unit-tests", {**files, "b.xml": forged})
    assert (told.verdict, told.counts) == ("pass", None)
    assert told.reason.endswith("could not be read (out/a.xml: it was not written)")


async def test_a_report_speaks_louder_than_the_exit_code(bench: Bench) -> None:
    report = "<testsuite><testcase name='a'><failure/></testcase></testsuite>"
    own = "gates: {unit-tests: {command: cp kept.xml out.xml, reports: [out.xml]}}\n"
    told = await bench.told("unit-tests", {".switchyard.yml": own, "kept.xml": report})
    assert (told.verdict, told.exit_code) == ("fail", 0)
    assert told.reason == "1 of 1 test failed: a, and yet the command ended well"


async def test_a_report_that_is_a_link_out_of_the_tree_is_not_read(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("secret") / "a.xml"
    secret.write_text("<testsuite><testcase name='secret'><failure/></testcase></testsuite>")
    own = f"gates: {{unit-tests: {{command: ln -s {secret} out.xml, reports: [out.xml]}}}}\n"
    told = await bench.told("unit-tests", {".switchyard.yml": own})
    assert told.counts is None
    assert "out.xml: it was not written" in told.reason


async def test_a_check_that_takes_too_long(bench: Bench) -> None:
    own = {".switchyard.yml": "gates: {lint: 'tail -f /dev/null'}\n"}
    told = await bench.told("lint", own, Limits(seconds=1.5, processes=32))
    assert (told.verdict, told.reason) == ("timeout", "It did not end within 1.5 s")
    assert told.duration_ms < 20_000


async def test_make(bench: Bench) -> None:
    told = await bench.told(
        "lint", {"Makefile": "lint:\n\t@echo a.py:1: bad >&2; exit 3\n", "a.py": ""}
    )
    assert (told.verdict, told.exit_code, told.reason) == ("fail", 2, "1 error in 1 file")


async def test_output_is_cleaned_and_bounded(bench: Bench) -> None:
    printing = (
        "#!/bin/sh\nprintf 'a\\033[31mred\\033[0m\\000\\r\\n'; seq 1 40000; printf 'last\\033[0m'\n"
    )
    own = "gates: {lint: sh print.sh}\n"
    told = await bench.told("lint", {".switchyard.yml": own, "print.sh": printing})
    assert told.verdict == "pass"
    assert 60_000 < len(told.log.encode()) <= 64_000
    assert told.log.endswith("40000\nlast")


class Refusing:
    """A sandbox that cannot be had."""

    async def run(self, *_: object, **__: object) -> Ran:
        raise SandboxUnavailable("bubblewrap is not installed; install the package bubblewrap")


async def test_without_a_sandbox_nothing_is_run(tmp_path: Path) -> None:
    tree = write(tmp_path, {".switchyard.yml": "gates: {lint: touch ran}\n"})
    told = await evaluate(tree, "lint", Policy(), Refusing())
    assert told.verdict == "error"
    assert told.reason.startswith("Nothing was run: bubblewrap is not installed")
    assert not (tree / "ran").exists()


@pytest.mark.parametrize(
    ("content", "verdict", "reason"),
    [
        ("gates: {lint: echo fine}", "vacuous", "The command cannot fail: `echo fine` cannot fail"),
        ("gates: {lints: a}", "error", ".switchyard.yml: gates.lints: not a gate; there are "),
        ("gates: {lint: false}", "not_configured", "No command for lint was found: switched off"),
        ("gates: {}", "not_configured", "No command for lint was found; .switchyard.yml can name"),
    ],
)
async def test_what_need_not_be_run(
    tmp_path: Path, content: str, verdict: str, reason: str
) -> None:
    tree = write(tmp_path, {".switchyard.yml": content})
    told = await evaluate(tree, "lint", Policy(), Refusing())
    assert told.verdict == verdict
    assert told.reason.startswith(reason)
