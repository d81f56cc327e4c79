"""Ends what a killed worker may have left: bubblewrap that waits for a parent that is gone.

From the moment that it runs anything, everything dies with the worker. Killed in the few
milliseconds before, it can leave one process that waits, or ends without having run anything.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OWNER = "SWITCHYARD_GATE_OWNER"
_PROC = Path("/proc")


def owned() -> dict[str, str]:
    """The variable that says whose a process is."""
    return {OWNER: str(os.getpid())}


def end_orphans() -> None:
    """Kill the processes of this user, or for root of any, whose worker no longer exists."""
    for pid in _processes():
        with suppress(OSError):
            handle = os.pidfd_open(pid)
            try:
                if _is_orphan(pid):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)


def _processes() -> Iterator[int]:
    yield from (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())


def _is_orphan(pid: int) -> bool:
    for variable in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
        name, _, owner = variable.partition(b"=")
        if name == OWNER.encode():
            return not (_PROC / owner.decode()).exists()
    return False
