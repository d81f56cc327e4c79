"""Python projects: tools' own configuration, tox, nox, and mere dependencies."""

from pathlib import Path

import pytest

from tests.gates.detection.finding import command, hollow, line, missing
from tests.gates.trees import write
from worker.gates.model import GateType, ReportFile

PYTEST = "[tool.pytest.ini_options]\n"
TEST = "def test_a():\n    pass\n"
UNITTEST = "import unittest\n\nclass A(unittest.TestCase):\n    pass\n"


@pytest.mark.parametrize(
    ("path", "content", "source"),
    [
        ("pyproject.toml", PYTEST, "pyproject.toml [tool.pytest]"),
        ("pytest.ini", "[pytest]\n", "pytest.ini"),
        ("tox.ini", "[pytest]\n", "tox.ini [pytest]"),
        ("setup.cfg", "[tool:pytest]\n", "setup.cfg [tool:pytest]"),
    ],
)
def test_where_pytest_is_configured(tmp_path: Path, path: str, content: str, source: str) -> None:
    found = command(write(tmp_path, {path: content}), "unit-tests")
    assert (found.argv[0], found.source) == ("pytest", source)
    assert found.reports == (ReportFile(".switchyard-reports/pytest", "junit"),)


@pytest.mark.parametrize(
    ("lock", "runs"),
    [
        ("uv.lock", "uv run --frozen --no-sync ruff check"),
        ("poetry.lock", "poetry run ruff check"),
        ("Pipfile.lock", "pipenv run ruff check"),
        ("pdm.lock", "pdm run ruff check"),
    ],
)
def test_the_lock_file_decides_the_runner(tmp_path: Path, lock: str, runs: str) -> None:
    write(tmp_path, {"pyproject.toml": "[tool.ruff]\n", lock: ""})
    assert line(tmp_path, "lint").startswith(runs)


def test_integration_tests_are_run_apart(tmp_path: Path) -> None:
    files = {"tests/unit/test_a.py": TEST, "tests/api/integration/test_b.py": TEST}
    write(tmp_path, {"pyproject.toml": PYTEST, **files})
    assert "--ignore=tests/api/integration" in command(tmp_path, "unit-tests").argv
    assert command(tmp_path, "integration-tests").argv[:2] == ("pytest", "tests/api/integration")


def test_integration_tests_by_their_mark(tmp_path: Path) -> None:
    marked = PYTEST + 'markers = ["slow: takes long", "integration: needs the database"]\n'
    write(tmp_path, {"pyproject.toml": marked})
    assert command(tmp_path, "integration-tests").argv[:3] == ("pytest", "-m", "integration")


def test_a_choice_of_marks_is_not_overruled(tmp_path: Path) -> None:
    marked = PYTEST + 'markers = ["integration: x"]\naddopts = "-m \'not paid\'"\n'
    assert missing(write(tmp_path, {"pyproject.toml": marked}), "integration-tests") == ""


@pytest.mark.parametrize(
    ("path", "content", "runs"),
    [
        ("pyproject.toml", "[tool.mypy]\n", "mypy ."),
        ("pyproject.toml", '[tool.mypy]\nfiles = ["ledger"]\n', "mypy --no-pretty"),
        ("mypy.ini", "[mypy]\nfiles = ledger\n", "mypy --no-pretty"),
        ("setup.cfg", "[mypy]\n", "mypy ."),
        ("pyproject.toml", "[tool.ty]\n", "ty check --output-format=concise"),
        ("pyproject.toml", "[tool.pyright]\n", "pyright"),
        ("pyrightconfig.json", "{}", "pyright"),
        ("pyproject.toml", '[dependency-groups]\ndev = ["mypy>=1"]\n', "mypy ."),
        ("requirements-dev.txt", "mypy==1.11\n", "mypy ."),
    ],
)
def test_type_checkers(tmp_path: Path, path: str, content: str, runs: str) -> None:
    write(tmp_path, {"setup.py": "", path: content})
    assert line(tmp_path, "type-check").startswith(runs)


@pytest.mark.parametrize(
    ("path", "content", "runs"),
    [
        (
            "pyproject.toml",
            "[tool.ruff]\nfix = true\n",
            "ruff check --no-fix . --output-format=json",
        ),
        ("ruff.toml", "", "ruff check"),
        (".flake8", "[flake8]\n", "flake8"),
        ("setup.cfg", "[flake8]\n", "flake8"),
        (".pylintrc", "", "pylint --recursive=y ."),
        ("pyproject.toml", '[tool.poetry.group.dev.dependencies]\nflake8 = "^7"\n', "flake8"),
        ("pyproject.toml", '[project.optional-dependencies]\ndev = ["ruff"]\n', "ruff check"),
    ],
)
def test_linters(tmp_path: Path, path: str, content: str, runs: str) -> None:
    write(tmp_path, {"setup.py": "", path: content})
    assert line(tmp_path, "lint").startswith(runs)


@pytest.mark.parametrize(
    ("gate", "section", "environment"),
    [("unit-tests", "testenv", "py"), ("lint", "testenv:lint", "lint"),
     ("type-check", "testenv:typing", "typing")],
)  # fmt: skip
def test_tox(tmp_path: Path, gate: GateType, section: str, environment: str) -> None:
    write(tmp_path, {"tox.ini": f"[{section}]\ncommands = house-check\n"})
    assert line(tmp_path, gate) == f"tox run -e {environment}"


def test_tox_that_ignores_every_failure(tmp_path: Path) -> None:
    ignoring = "[testenv:lint]\ncommands =\n    - flake8\n    echo done\n"
    assert hollow(write(tmp_path, {"tox.ini": ignoring}), "lint").text == "tox run -e lint"


def test_nox(tmp_path: Path) -> None:
    noxfile = (
        '@nox.session(name="type-check")\n@nox.parametrize("a", [1])\ndef types(s):\n    ...\n'
    )
    write(
        tmp_path, {"noxfile.py": f"import nox\n\n{noxfile}\n@nox.session\ndef lint(s):\n    ...\n"}
    )
    assert line(tmp_path, "type-check") == "nox --non-interactive -s type-check"
    assert line(tmp_path, "lint") == "nox --non-interactive -s lint"


def test_tests_that_nobody_configured(tmp_path: Path) -> None:
    write(tmp_path, {"setup.py": "", "tests/test_a.py": TEST})
    assert command(tmp_path, "unit-tests").tool == "pytest"


def test_tests_for_the_standard_librarys_runner(tmp_path: Path) -> None:
    write(tmp_path, {"setup.py": "", "tests/test_a.py": UNITTEST})
    assert line(tmp_path, "unit-tests") == "python3 -m unittest discover -v -s tests"


def test_the_only_project_below_the_root(tmp_path: Path) -> None:
    write(tmp_path, {"agents/pyproject.toml": PYTEST})
    found = command(tmp_path, "unit-tests")
    assert (found.directory, found.source) == ("agents", "agents/pyproject.toml [tool.pytest]")
    assert "--junitxml=../.switchyard-reports/pytest" in found.argv


def test_a_project_file_that_is_not_toml(tmp_path: Path) -> None:
    assert missing(write(tmp_path, {"pyproject.toml": "[tool"}), "lint") == ""
