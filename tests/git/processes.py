"""Which git processes are alive. A zombie is not: it only waits for init to take note."""

import os
from pathlib import Path

import psutil

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except GONE:
        return False


def git_below(root: Path, pid: int | None = None) -> list[psutil.Process]:
    """The living git processes on mirrors in `root`, below this process or another."""
    below = psutil.Process(pid or os.getpid()).children(recursive=True)
    return [
        child for child in below if is_alive(child) and _repository(child).startswith(f"{root}/")
    ]


def writers_below(root: Path, pid: int | None = None) -> list[psutil.Process]:
    """`git fetch` and `git index-pack`, once both are there."""
    commands = {"fetch", "index-pack"}
    found = [child for child in git_below(root, pid) if commands & set(_cmdline(child))]
    return found if len(found) == 2 else []


def command_lines(root: Path) -> list[str]:
    return [" ".join(_cmdline(child)) for child in git_below(root)]


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except GONE:
        return []


def _repository(process: psutil.Process) -> str:
    try:
        return process.environ().get("GIT_DIR", "")
    except GONE:
        return ""
