"""The patterns of `.gitignore` files, against git itself."""

import subprocess
import time
from pathlib import Path

import pytest

from worker.conflicts.ignores import Ignores

ROOT = r"""
# a comment
*.log
!keep.log
/build
temp/
docs/*.pdf
data/**/*.csv
**/cache/*.bin
a/**
*e*t*.cfg
x*y*z
file[0-9].txt
[!x]only.md
\#odd
space\ name.txt
logs/**/deep
*.py[co]
notes?.md
!/
"""
INNER = "*.md\n!README.md\n/only-here.txt\n"
PATHS = [
    "x.log", "sub/x.log", "keep.log", "sub/keep.log", "build", "build/x.js", "sub/build/x.js",
    "temp", "temp/x", "sub/temp/x/y", "docs/a.pdf", "docs/sub/a.pdf", "data/a.csv",
    "data/x/y/a.csv", "xdata/a.csv", "cache/a.bin", "u/v/cache/a.bin", "cache/sub/a.bin", "a/b",
    "a/b/c", "b/a/c", "file1.txt", "filex.txt", "yonly.md", "xonly.md", "#odd", "space name.txt",
    "logs/deep", "logs/x/y/deep", "m.pyc", "m.py", "notes1.md", "notes12.md", "inner/x.md",
    "inner/README.md", "inner/only-here.txt", "inner/sub/only-here.txt", "inner/keep.log",
    "temp/keep.log", "src/main.py", "settings.cfg", "eett.cfg", "test.cfg", "xyz", "xaybz", "xyzy",
    "xyyzzz", "sub/xyz/file",
]  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True, timeout=20)
    (tmp_path / "inner").mkdir()
    (tmp_path / ".gitignore").write_text(ROOT)
    (tmp_path / "inner" / ".gitignore").write_text(INNER)
    return tmp_path


def test_what_git_ignores_is_ignored_and_nothing_else(repository: Path) -> None:
    """Files are not made: git, too, decides by the name alone."""
    command = ["git", "-C", str(repository), "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(command, input="\0".join(PATHS).encode(), capture_output=True, timeout=20)
    expected = {path for path in done.stdout.decode().split("\0") if path}
    ignores = Ignores({".gitignore": ROOT, "inner/.gitignore": INNER})
    assert {path for path in PATHS if ignores.matches(path)} == expected
    assert 15 < len(expected) < len(PATHS)


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "[", "[]", "\\", "!", "/", "[z-a]", "[a--b]", "a" * 5000,
     "/".join(["**"] * 9), "main[.py", "[!]"],
)  # fmt: skip
def test_odd_patterns_ignore_nothing_and_raise_nothing(text: str) -> None:
    assert not Ignores({".gitignore": text}).matches("src/main.py")


@pytest.mark.parametrize("pattern", ["*a" * 40 + "b", "**/" * 3 + "*a*a*a*b", "a*" * 60 + "?b"])
def test_no_pattern_is_slow(pattern: str) -> None:
    started = time.process_time()
    ignores = Ignores({".gitignore": pattern})
    assert not ignores.matches("/".join(["a" * 100] * 10) + "c")
    assert time.process_time() - started < 0.5
