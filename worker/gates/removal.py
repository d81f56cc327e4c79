"""Deleting what commands have left, whatever permissions they left it with."""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path


def remove(directory: Path) -> None:
    """Delete a directory and all in it. Raises OSError if something cannot be deleted."""
    if os.geteuid() and directory.exists():
        _open_up(directory)
    with suppress(FileNotFoundError):
        shutil.rmtree(directory)


def _open_up(top: Path) -> None:
    # Top down: a directory has to be opened before it can be listed.
    waiting = [top]
    while waiting:
        directory = waiting.pop()
        directory.chmod(stat.S_IRWXU)
        with os.scandir(directory) as entries:
            waiting += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
