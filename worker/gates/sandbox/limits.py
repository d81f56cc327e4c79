"""What a run in the sandbox may use, and what became of it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

Over = Literal["memory", "processes", "disk", "output"]
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What the whole tree of processes may use together; `open_files` is for each process."""

    seconds: float = 600.0
    memory_bytes: int = 2048 * MEBIBYTE
    processes: int = 512
    disk_bytes: int = 2048 * MEBIBYTE
    output_bytes: int = 64 * MEBIBYTE
    open_files: int = 4096


def per_process(limits: Limits, *, isolated: bool, grouped: bool) -> Iterator[str]:
    """A command's prefix that sets limits of each process, which inherits them.

    Where no control group (`grouped`) counts for the whole tree, they are all that the kernel
    enforces. Processes are counted by user: outside an isolated tree that is everybody's.
    """
    yield "prlimit"
    yield f"--nofile={limits.open_files}"
    yield f"--fsize={limits.disk_bytes}"
    yield f"--cpu={int(limits.seconds * (os.cpu_count() or 1)) + 1}"
    yield "--core=0"
    if not grouped:
        yield f"--data={limits.memory_bytes}"
    if isolated and not grouped:
        yield f"--nproc={limits.processes}"
    yield "--"


@dataclass(frozen=True)
class Ran:
    """How a command ended. `exit_code` is None if a signal ended it, or a limit did.

    `over` names the limit that was met. `output` is the last part, both streams together.
    `tree` is where the command saw its tree. `environment` says how it was held, for people.
    """

    exit_code: int | None
    signal: int | None
    timed_out: bool
    over: Over | None
    output: bytes
    duration_ms: int
    tree: PurePosixPath
    environment: Mapping[str, str] = field(default_factory=dict)
