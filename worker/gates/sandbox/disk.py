"""How much of the disk a run has taken, watched without walking its tree all the time."""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.gates.sandbox.processes import Processes

INODE_BYTES = 512
# However busy the disk is with others' files, walking takes at most a fifth of one core …
PAUSE_PER_WALK = 4.0
# … and is done now and then even if nothing seems to grow, since others may be deleting.
LONGEST_SECONDS = 5.0
# Whoever filled it: a disk that comes this near to full ends the run.
RESERVE_BYTES = 256 * 1024 * 1024


@dataclass
class DiskWatch:
    """Watches directories of one file system; `processes` are the run's.

    The file system tells cheaply that something grew; only then is the tree walked, which tells
    whose it is. What was deleted while still open is found through the processes.
    """

    directories: Sequence[Path]
    limit: int
    processes: Processes | None = None
    _start: int = 0
    _seen_at: int = 0
    _size: int = 0
    _next: float = 0.0
    _overdue: float = field(default=0.0)

    async def is_over(self, *, at_once: bool = False) -> bool:
        """Whether the run holds more than its limit, or leaves the disk without a reserve."""
        used, free = _usage(self.directories[0])
        self._start = self._start or used
        if free < RESERVE_BYTES and used > self._start:
            return True
        now = time.monotonic()
        due = self._may_be_over(used) or now > self._overdue
        if not due or (now < self._next and not at_once):
            return False
        return await asyncio.to_thread(self._measure, used)

    def _may_be_over(self, used: int) -> bool:
        return self._size + max(0, used - self._seen_at) > self.limit

    def _measure(self, used: int) -> bool:
        began = time.monotonic()
        size, hidden = _size_of(self.directories)
        if used - self._start > self.limit:
            size += _deleted_bytes(self.processes)
        if hidden:
            size = max(size, used - self._start)
        self._size, self._seen_at = size, used
        ended = time.monotonic()
        self._next = ended + PAUSE_PER_WALK * (ended - began)
        self._overdue = ended + max(LONGEST_SECONDS, 5 * PAUSE_PER_WALK * (ended - began))
        return size > self.limit


def _usage(path: Path) -> tuple[int, int]:
    facts = os.statvfs(path)
    blocks = (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    return blocks + (facts.f_files - facts.f_ffree) * INODE_BYTES, facts.f_bavail * facts.f_frsize


def _size_of(directories: Iterable[Path]) -> tuple[int, bool]:
    """Bytes allocated below, and whether anything could not be looked into."""
    total, hidden = 0, False
    waiting = [str(directory) for directory in directories]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += _allocated(entry)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except PermissionError:
            hidden = True
        except OSError:
            continue
    return total, hidden


def _allocated(entry: os.DirEntry[str]) -> int:
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    return facts.st_blocks * 512 // max(1, facts.st_nlink * _counts(entry)) + INODE_BYTES


def _counts(entry: os.DirEntry[str]) -> bool:
    # The links of a directory are its subdirectories, not other names of it.
    return not entry.is_dir(follow_symlinks=False)


def _deleted_bytes(processes: Processes | None) -> int:
    found = {}
    for facts in processes.open_files() if processes else ():
        if facts.st_nlink == 0:
            found[(facts.st_dev, facts.st_ino)] = facts.st_blocks * 512
    return sum(found.values())
