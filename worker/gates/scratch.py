"""Scratch directories: one for each evaluation, removed after it, swept if its worker died."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from worker.gates.removal import remove

PREFIX = "gate-"


@asynccontextmanager
async def scratch(root: Path) -> AsyncIterator[Path]:
    """A fresh directory below `root` that nobody else may look into, removed at the end."""
    directory = await asyncio.to_thread(_make, root)
    try:
        yield directory
    finally:
        await asyncio.shield(asyncio.to_thread(remove, directory))


def sweep(root: Path, older_than_seconds: float) -> int:
    """Remove what has been left for so long; answers how many directories."""
    before = time.time() - older_than_seconds
    left = [path for path in root.glob(f"{PREFIX}*") if _made(path) < before]
    for path in left:
        remove(path)
    return len(left)


def _make(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))


def _made(path: Path) -> float:
    # Commands write below it, never to it: nothing but its own removal changes its time.
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime
    return time.time()
