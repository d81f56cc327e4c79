"""Lines of shell: which cannot fail, and which never end."""

import subprocess
from pathlib import Path

import pytest

from worker.gates.detection.shell import watches, why_it_cannot_fail

CANNOT_FAIL = [
    "",
    "   ",
    "true",
    ":",
    "exit 0",
    "echo nothing here yet",
    "echo 'one && two'",
    "printf done",
    "false || true",
    "false; exit 0",
    "false ; true",
    "false || echo ignored",
    "false | cat",
    "false 2>&1 | tee log.txt",
    "cd . && echo lint comes later",
    "echo a && echo b",
    "true && false | tee log || true",
    "A=1 B=2 true",
    "false || exit 0",
    "echo a & echo b",
]
CAN_FAIL = [
    "false",
    "exit 1",
    "echo no test specified && exit 1",
    "true && false",
    "false && true",
    "true; false",
    "false || false",
    "echo 'true || true'; false",
    "false && echo fine | cat",
    "grep -q needle haystack",
    "sh -c 'exit 3'",
    "if true; then false; fi",
    "$(echo false)",
    "(false)",
    "! true",
    "false 'unclosed",
    "set -e; false; true",
]


@pytest.mark.parametrize("line", CANNOT_FAIL)
def test_a_line_that_cannot_fail_is_seen(line: str) -> None:
    assert why_it_cannot_fail(line)


@pytest.mark.parametrize("line", CANNOT_FAIL)
def test_the_shell_agrees_that_it_cannot_fail(line: str, tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=10, cwd=tmp_path)
    assert done.returncode == 0


@pytest.mark.parametrize("line", CAN_FAIL)
def test_a_line_that_can_fail_is_let_through(line: str) -> None:
    assert why_it_cannot_fail(line) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("eslint . || true", "`|| true` hides every failure"),
        ("tsc --noEmit; exit 0", "it ends with `exit 0`"),
        ("ruff check . --exit-zero", "`--exit-zero` hides every failure"),
        ("pylint --exit-zero ledger", "`--exit-zero` hides every failure"),
        ("pytest | tee log.txt", "its outcome is that of `tee`, which cannot fail"),
        ("echo 'no lint yet'", "`echo 'no lint yet'` cannot fail"),
        ("eslint . || continue", "`|| continue` hides every failure"),
        ("""node -e "console.log('later')" """, "it only prints"),
        ("", "it is empty"),
    ],
)
def test_the_reason_is_told(line: str, reason: str) -> None:
    assert why_it_cannot_fail(line) == reason


@pytest.mark.parametrize(
    "line",
    [
        "eslint . && vitest run",
        "jest --passWithNoTests",
        "ruff check . | grep -v ignored",
        "eslint . ; tsc --noEmit",
        "tsc -b && echo fine",
        "NODE_ENV=test jest",
    ],
)
def test_a_real_check_is_let_through(line: str) -> None:
    assert why_it_cannot_fail(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "vitest --watch",
        "vitest watch",
        "vitest -w",
        "jest --watchAll",
        "jest --watch=true",
        "tsc -w",
        "tsc --noEmit --watch",
        "npx tsc -w",
        "nodemon --exec mocha",
        "ptw -- tests",
        "vitest --ui",
        "eslint . && tsc --watch",
        "node --watch --test",
    ],
)
def test_a_line_that_never_ends_is_seen(line: str) -> None:
    assert watches(line)


@pytest.mark.parametrize(
    "line",
    [
        "vitest run",
        "vitest",
        "jest --watchAll=false",
        "jest --watch false",
        "pytest -w",
        "tsc --noEmit",
        "eslint src/watch",
        "mocha test/watch.js",
        "npm run test -w packages/ledger",
    ],
)
def test_a_line_that_ends_is_let_through(line: str) -> None:
    assert not watches(line)
