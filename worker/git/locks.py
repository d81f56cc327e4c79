"""A lock between processes that is waited for without blocking the event loop."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from worker.git.errors import FetchTimedOut

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1


@asynccontextmanager
async def exclusive(path: Path, patience: float) -> AsyncIterator[None]:
    """Hold the lock file `path`; the system lets go of it if this process dies.

    Raises FetchTimedOut after `patience` seconds of waiting.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _acquire(descriptor, path, patience)
        yield
    finally:
        os.close(descriptor)


async def _acquire(descriptor: int, path: Path, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            pause = FIRST_PAUSE
            while not try_lock(descriptor, fcntl.LOCK_EX):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
    except TimeoutError as error:
        message = f"mirror {path.parent.name} was locked by another process for {patience:g} s"
        raise FetchTimedOut(message) from error


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock of `kind` (LOCK_EX or LOCK_SH) if it is free now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
