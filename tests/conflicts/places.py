"""Folders with documents, in git and out of it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.git.origins import ENVIRONMENT

OPEN = "- [x] Task 1: Begin\n- [x] Task 2: Go on\n- [x] Task 3: Nearly\n"


def story_text(number: str, status: str = "Done", done: bool = False, more: str = "") -> str:
    """A story with four tasks, the last of which is open unless `done`."""
    last = f"- [{'x' if done else ' '}] Task 4: Write the guide\n"
    return (
        f"# Story {number}: Some thing\n\n## Status\n\n{status}\n\n## Acceptance Criteria\n\n"
        f"1. It works.\n\n## Tasks / Subtasks\n\n{OPEN}{last}\n{more}"
    )


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


class Checkout:
    """A repository with a work tree."""

    def __init__(self, path: Path, files: Mapping[str, str]) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.commit(files)

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.path, env=ENVIRONMENT, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str]) -> str:
        write(self.path, files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")
