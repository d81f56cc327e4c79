"""Ending whole trees of processes, and also what left its group, its session or its parents.

Every child is started in a session of its own, and with a mark of its tree in its environment,
which whatever it starts inherits. Ending a tree ends the group first, and then every process of
this user that bears the mark. Only one that has wiped its environment and left its group escapes.
Where there is no /proc, the group has to do.
"""

import asyncio
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

MARK = "SWITCHYARD_TREE"
_PROC = Path("/proc")
# A tree that keeps growing while it is being killed is killed faster than it grows.
MOST_SWEEPS = 100
SWEEP_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Tree:
    """A started process, and the mark of all that come from it."""

    process: Process
    mark: str

    async def end(self, grace_seconds: float) -> None:
        """End all of it: SIGTERM to the group, and after the grace SIGKILL to everything.

        It is done to its end even if the caller is cancelled meanwhile.
        """
        try:
            if self.process.returncode is None:
                self._signal_group(signal.SIGTERM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(grace_seconds):
                        await self.process.wait()
        finally:
            self._signal_group(signal.SIGKILL)
            await asyncio.shield(asyncio.ensure_future(self._kill_the_rest()))

    async def _kill_the_rest(self) -> None:
        await asyncio.to_thread(kill_marked, self.mark)
        await self.process.wait()

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


async def start(*command: str, environment: Mapping[str, str], **options: Any) -> Tree:
    """Start a command as the root of a tree; `options` go to `create_subprocess_exec`.

    If the caller is cancelled meanwhile, all that was started is ended first.
    """
    mark = uuid4().hex
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command, env={**environment, MARK: mark}, start_new_session=True, **options
        )
    )
    try:
        return Tree(await asyncio.shield(starting), mark)
    except asyncio.CancelledError:
        # asyncio itself would kill the one process, and wait for what that has started.
        await asyncio.shield(asyncio.ensure_future(_abandon(starting, mark)))
        raise


async def _abandon(starting: "asyncio.Future[Process]", mark: str) -> None:
    with suppress(OSError):
        await Tree(await starting, mark).end(0.0)


def kill_marked(mark: str) -> None:
    """Kill every process that bears this mark, until there is none. Takes milliseconds."""
    needle = f"{MARK}={mark}".encode()
    for _ in range(MOST_SWEEPS):
        if not [pid for pid in _processes() if _kill_if_marked(pid, needle)]:
            return
        time.sleep(SWEEP_PAUSE_SECONDS)


def _processes() -> Iterator[int]:
    with suppress(FileNotFoundError):
        yield from (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _kill_if_marked(pid: int, needle: bytes) -> bool:
    # The handle first: a number may be given to another process between looking and killing.
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
        if needle in variables:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        return needle in variables
    except OSError:
        return False
    finally:
        os.close(handle)
