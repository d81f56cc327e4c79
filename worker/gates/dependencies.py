"""Installed dependencies kept between runs: whole or not there, and never handed out themselves.

    <root>/<scope>/<key>/      what one installation left, as its folders
    <root>/gate-<random>/      an installation under way

A run is given a copy. What it does to that cannot reach the next run.
"""

import asyncio
import os
import platform
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from worker.gates.errors import PreparationFailed
from worker.gates.removal import remove
from worker.gates.scratch import PREFIX
from worker.gates.scratch import sweep as sweep_scratches

# What was used so recently may be being copied.
SAFE_SECONDS = 3600.0
LEFT_BEHIND_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class DependencyCache:
    """Entries below `root`. A scope, such as a project, never sees another one's."""

    root: Path

    def entry(self, scope: str, key: str) -> Path | None:
        """The finished entry, marked as used now; None if there is none."""
        path = self.root / scope / key
        with suppress(FileNotFoundError):
            os.utime(path)
            return path
        return None

    def keep(self, scope: str, key: str, tree: Path, folders: Iterable[str]) -> Path:
        """Move folders of a tree into a new entry, which appears whole or not at all."""
        filled = tree.parent / "entry"
        filled.mkdir()
        for number, folder in enumerate(folders):
            source = tree / folder
            if source.is_symlink() or not source.is_dir():
                raise PreparationFailed(f"the installation left no folder {folder}")
            source.rename(filled / str(number))
        path = self.root / scope / key
        path.parent.mkdir(exist_ok=True)
        # Where somebody else was faster, theirs is as good.
        with suppress(OSError):
            filled.rename(path)
        return path

    def sweep(self, *, unused_seconds: float, most_bytes: int) -> int:
        """Remove what was not used for so long, and the longest unused above so many bytes.

        Answers how many entries.
        """
        sweep_scratches(self.root, LEFT_BEHIND_SECONDS)
        now, kept, removed = time.time(), 0, 0
        for used, path in sorted(self._entries(), reverse=True):
            size = _size(path)
            idle = now - used
            over = kept + size > most_bytes and idle > SAFE_SECONDS
            if idle > unused_seconds or over:
                remove(path)
                removed += 1
            else:
                kept += size
        return removed

    def _entries(self) -> Iterable[tuple[float, Path]]:
        for path in self.root.glob("*/*"):
            if not path.parent.name.startswith(PREFIX):
                with suppress(FileNotFoundError):
                    yield path.stat().st_mtime, path


async def copy_into(entry: Path, tree: Path, folders: Sequence[str]) -> None:
    """Put an entry's folders into a tree, in the place of whatever is there."""
    for number, folder in enumerate(folders):
        target = tree / folder
        await asyncio.to_thread(_make_way, target)
        process = await asyncio.create_subprocess_exec(
            "cp", "-a", "--reflink=auto", "--", str(entry / str(number)), str(target)
        )
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            raise PreparationFailed(f"{folder} could not be copied into the tree")


def key_of(parts: Iterable[bytes]) -> str:
    """A name for all of this on a machine of this kind."""
    digest = sha256(f"{platform.system()} {platform.machine()} {platform.libc_ver()}".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _make_way(target: Path) -> None:
    if target.is_symlink() or target.is_file():
        target.unlink()
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)


def _size(path: Path) -> int:
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            with suppress(FileNotFoundError):
                total += Path(directory, name).lstat().st_blocks * 512
    return total
