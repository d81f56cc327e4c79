"""Go, Cargo and make."""

from pathlib import Path

import pytest

from tests.gates.detection.finding import command, hollow, line, missing
from tests.gates.trees import write
from worker.gates.model import GateType


@pytest.mark.parametrize(
    ("gate", "runs"),
    [
        ("unit-tests", "go test -json ./..."),
        ("type-check", "go build -o /dev/null ./..."),
        ("lint", "go vet ./..."),
    ],
)
def test_go(tmp_path: Path, gate: GateType, runs: str) -> None:
    assert line(write(tmp_path, {"go.mod": "module ledger\n"}), gate) == runs


def test_the_report_of_go_is_what_it_prints(tmp_path: Path) -> None:
    found = command(write(tmp_path, {"go.mod": "module ledger\n"}), "unit-tests")
    assert found.stdout == found.reports[0].path == ".switchyard-reports/go-test"


def test_go_with_a_linter_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": "module ledger\n", ".golangci.yml": ""})
    assert line(tmp_path, "lint") == "golangci-lint run"


def test_integration_tests_of_go_by_their_tag(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": "module ledger\n"})
    assert missing(tmp_path, "integration-tests") == ""
    write(tmp_path, {"db/db_test.go": "//go:build integration\n\npackage db\n"})
    assert line(tmp_path, "integration-tests") == "go test -json -tags=integration ./..."


@pytest.mark.parametrize(
    ("gate", "runs"),
    [
        ("unit-tests", "cargo test --no-fail-fast"),
        ("type-check", "cargo check --message-format=json"),
        ("lint", "cargo clippy --message-format=json"),
    ],
)
def test_cargo(tmp_path: Path, gate: GateType, runs: str) -> None:
    assert line(write(tmp_path, {"Cargo.toml": '[package]\nname = "a"\n'}), gate) == runs


def test_a_workspace_of_cargo(tmp_path: Path) -> None:
    files = {"Cargo.toml": '[workspace]\nmembers = ["a"]\n', "tests/all.rs": ""}
    write(tmp_path, files)
    assert line(tmp_path, "unit-tests") == "cargo test --workspace --no-fail-fast"
    assert line(tmp_path, "integration-tests").endswith("--no-fail-fast --test '*'")


@pytest.mark.parametrize(
    ("gate", "target"),
    [
        ("unit-tests", "test"),
        ("unit-tests", "test-unit"),
        ("integration-tests", "integration"),
        ("type-check", "typecheck"),
        ("lint", "lint"),
    ],
)
def test_make(tmp_path: Path, gate: GateType, target: str) -> None:
    write(
        tmp_path, {"Makefile": f".PHONY: {target}\n{target}: build ## says what\n\thouse-check\n"}
    )
    assert line(tmp_path, gate) == f"make {target}"


@pytest.mark.parametrize(
    ("makefile", "reason"),
    [
        ("lint:\n\t@echo later\n", "`echo later` cannot fail"),
        ("lint:\n\t-house-style\n", "`-house-style` is marked with `-`, which hides every failure"),
        (
            "lint:\n\t@-house-style\n",
            "`@-house-style` is marked with `-`, which hides every failure",
        ),
        ("lint: style\nstyle:\n\thouse-style || true\n", "`|| true` hides every failure"),
        ("lint:\n", "it has nothing to run"),
        ("lint: ; @true\n", "`true` cannot fail"),
    ],
)
def test_targets_that_cannot_fail(tmp_path: Path, makefile: str, reason: str) -> None:
    assert hollow(write(tmp_path, {"Makefile": makefile}), "lint").reason == reason


@pytest.mark.parametrize(
    "makefile",
    [
        "lint:\n\techo first\n\thouse-style\n",
        "lint: style\n\t@echo done\nstyle:\n\thouse-style\n",
        "lint: unknown\n\techo done\n",
        "lint:\n\t$(STYLE) .\n",
        "lint:\n\t@echo `house-style`\n\thouse-style\n",
        "lint: lint\n",
        "docs lint:\n\thouse-style\n",
        "lint::\n\thouse-style \\\n\t  --strict\n",
    ],
)
def test_targets_that_can_fail(tmp_path: Path, makefile: str) -> None:
    assert line(write(tmp_path, {"Makefile": makefile}), "lint") == "make lint"


def test_an_assignment_is_no_target(tmp_path: Path) -> None:
    write(tmp_path, {"Makefile": "lint := house-style\ntest ::= b\n"})
    assert missing(tmp_path, "lint") == ""


def test_a_target_that_watches_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"Makefile": "test-unit:\n\tvitest --watch\ntest:\n\thouse-tests\n"})
    assert line(tmp_path, "unit-tests") == "make test"
