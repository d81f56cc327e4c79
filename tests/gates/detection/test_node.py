"""package.json: names of scripts, who runs them, and what they come to."""

import json
from pathlib import Path

import pytest

from tests.gates.detection.finding import command, hollow, line, missing, package
from tests.gates.trees import write
from worker.gates.model import GateType, ReportFile


@pytest.mark.parametrize(
    ("lock", "runs"),
    [
        ("package-lock.json", "npm run lint"),
        ("npm-shrinkwrap.json", "npm run lint"),
        ("pnpm-lock.yaml", "pnpm run lint"),
        ("yarn.lock", "yarn run lint"),
        ("bun.lockb", "bun run lint"),
        ("bun.lock", "bun run lint"),
        ("unrelated.lock", "npm run lint"),
    ],
)
def test_the_lock_file_decides_the_runner(tmp_path: Path, lock: str, runs: str) -> None:
    write(tmp_path, {"package.json": package(lint="house-style"), lock: ""})
    assert line(tmp_path, "lint") == runs


def test_of_several_lock_files_the_manifest_names_the_one(tmp_path: Path) -> None:
    manifest = {"packageManager": "yarn@4.1.0", "scripts": {"lint": "house-style"}}
    locks = {"package-lock.json": "{}", "yarn.lock": ""}
    write(tmp_path, {"package.json": json.dumps(manifest), **locks})
    assert line(tmp_path, "lint") == "yarn run lint"


@pytest.mark.parametrize(
    ("gate", "script"),
    [
        ("unit-tests", "test"),
        ("unit-tests", "test:unit"),
        ("integration-tests", "test:integration"),
        ("integration-tests", "test:e2e"),
        ("type-check", "type-check"),
        ("type-check", "typecheck"),
        ("type-check", "types:check"),
        ("lint", "lint"),
    ],
)
def test_usual_names(tmp_path: Path, gate: GateType, script: str) -> None:
    write(tmp_path, {"package.json": json.dumps({"scripts": {script: "house-check"}})})
    found = command(tmp_path, gate)
    assert found.argv == ("npm", "run", script)
    assert found.source == f"package.json scripts.{script}"


def test_a_script_that_watches_is_passed_over(tmp_path: Path) -> None:
    scripts = package(test__unit="jest --watch", test="house-tests", test__watch="house-tests")
    write(tmp_path, {"package.json": scripts})
    assert line(tmp_path, "unit-tests") == "npm run test"


def test_where_all_watch_nothing_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": package(test="pnpm test:dev", test__dev="vitest --watch")})
    assert missing(tmp_path, "unit-tests") == "the script test waits for changes and never ends"


def test_vitest_is_told_to_end(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": package(test="vitest"), "pnpm-lock.yaml": ""})
    assert "--run" in command(tmp_path, "unit-tests").argv


def test_reports_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": package(lint="eslint src", test="jest", tsc="tsc --noEmit")})
    lint = command(tmp_path, "lint")
    report = ".switchyard-reports/eslint"
    assert lint.argv == ("npm", "run", "lint", "--", "-f", "json", "-o", report)
    assert lint.reports == (ReportFile(report, "eslint-json"),)
    assert command(tmp_path, "unit-tests").reports[0].format == "jest-json"
    assert line(tmp_path, "type-check") == "npm run tsc -- --pretty false"


@pytest.mark.parametrize(
    "script",
    ["eslint . -f stylish", "eslint . --format=unix", "eslint . | sort -u", "eslint . || exit 2",
     "sh check.sh"],
)  # fmt: skip
def test_a_script_with_a_form_of_its_own_is_left_as_it_is(tmp_path: Path, script: str) -> None:
    write(tmp_path, {"package.json": package(lint=script)})
    found = command(tmp_path, "lint") if "sort" not in script else None
    assert found is None or (found.argv == ("npm", "run", "lint") and not found.reports)


def test_words_pass_through_each_npm_on_the_way(tmp_path: Path) -> None:
    root = package(lint="npm run lint:code", lint__code="cd apps/desk && npm run lint")
    write(tmp_path, {"package.json": root, "apps/desk/package.json": package(lint="eslint .")})
    found = command(tmp_path, "lint")
    assert found.argv[:7] == ("npm", "run", "lint", "--", "--", "--", "-f")
    assert found.argv[-1] == "../../.switchyard-reports/eslint"


def test_a_script_that_hands_on_to_an_empty_one_is_hollow(tmp_path: Path) -> None:
    root = package(lint="cd apps/desk && pnpm lint")
    nested = package(lint="echo 'no lint yet'")
    write(tmp_path, {"package.json": root, "apps/desk/package.json": nested})
    assert hollow(tmp_path, "lint").reason == "`echo 'no lint yet'` cannot fail"


@pytest.mark.parametrize(
    "script",
    ["turbo lint", "lerna run --stream lint", "nx run-many --target=lint --all", "pnpm -r run lint",
     "npm run lint --workspaces --if-present"],
)  # fmt: skip
def test_a_script_that_calls_only_empty_ones_is_hollow(tmp_path: Path, script: str) -> None:
    desk = {"apps/desk/package.json": package(lint="echo later", test="jest")}
    write(tmp_path, {"package.json": package(lint=script), **desk})
    assert hollow(tmp_path, "lint").reason == "in no package can the script that it calls fail"
    write(tmp_path, {"apps/shop/package.json": package(lint="eslint .")})
    assert line(tmp_path, "lint") == "npm run lint"


def test_scripts_that_call_each_other_for_ever(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": package(lint="npm run lint:ci", lint__ci="npm run lint")})
    assert line(tmp_path, "lint") == "npm run lint"


def test_a_real_check_elsewhere_goes_before_one_that_cannot_fail(tmp_path: Path) -> None:
    files = {"package.json": package(lint="echo later"), "Makefile": "lint:\n\thouse-style\n"}
    write(tmp_path, files)
    assert line(tmp_path, "lint") == "make lint"


def test_the_placeholder_of_npm_is_no_check(tmp_path: Path) -> None:
    placeholder = 'echo "Error: no test specified" && exit 1'
    write(tmp_path, {"package.json": package(test=placeholder)})
    assert missing(tmp_path, "unit-tests") == "the script test is npm's placeholder"


def test_the_only_package_with_the_script(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "package.json": package(build="house-build"),
            "pnpm-lock.yaml": "",
            "apps/desk/package.json": package(test="vitest run"),
            "apps/shop/package.json": package(lint="house-style"),
            "node_modules/dep/package.json": package(test="vitest run"),
        },
    )
    found = command(tmp_path, "unit-tests")
    assert (found.directory, found.argv[:3]) == ("apps/desk", ("pnpm", "run", "test"))
    assert found.source == "apps/desk/package.json scripts.test"
    assert found.argv[-1] == "--outputFile.json=../../.switchyard-reports/vitest"


def test_of_several_packages_none_is_guessed(tmp_path: Path) -> None:
    manifests = {f"apps/{name}/package.json": package(test="jest") for name in ("desk", "shop")}
    write(tmp_path, manifests)
    assert missing(tmp_path, "unit-tests") == "several packages have one (apps/desk, apps/shop)"


def test_a_manifest_that_is_not_json(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": "{"})
    assert missing(tmp_path, "lint") == "package.json is not valid JSON"
