"""Runs git: one tree of processes for each command, ended as a whole, dying with this process."""

import asyncio
import shutil
import subprocess
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from worker.git.errors import GitFailed
from worker.processes import Tree, start

GRACE_SECONDS = 2.0
GUARD_SECONDS = 0.5
STDERR_KEPT = 64 * 1024
STREAM_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: bytes


async def run(
    *arguments: str, environment: Mapping[str, str], guard: Callable[[], None] | None = None
) -> Finished:
    """Run git to its end. `guard` is called every half second and stops it by raising.

    Cancellation (and with it any timeout) ends the whole tree of processes before it propagates.
    """
    tree = await spawn(*_dies_with_parent(), "git", *arguments, environment=environment)
    reading = asyncio.ensure_future(_collect(tree.process))
    try:
        while not reading.done():
            await asyncio.wait({reading}, timeout=GUARD_SECONDS)
            if guard:
                guard()
        return reading.result()
    finally:
        if not reading.done():
            await tree.end(GRACE_SECONDS)
            await asyncio.wait({reading})


async def spawn(
    *command: str, environment: Mapping[str, str], stdin: int = DEVNULL, stderr: int = PIPE
) -> Tree:
    """Start a command as the root of a tree of processes."""
    try:
        return await start(
            *command, environment=environment, cwd="/", stdin=stdin, stdout=PIPE, stderr=stderr,
            limit=STREAM_LIMIT,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise GitFailed(f"{command[0]} was not found: install git and put it on PATH") from error


@cache
def _dies_with_parent() -> tuple[str, ...]:
    prefix = ("setpriv", "--pdeathsig", "KILL", "--")
    # Some systems have no setpriv, or one that cannot do this.
    if not shutil.which("setpriv"):
        return ()
    probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if probe.returncode == 0 else ()


async def _collect(process: Process) -> Finished:
    out, err = cast(StreamReader, process.stdout), cast(StreamReader, process.stderr)
    stdout, stderr, code = await asyncio.gather(out.read(), _tail(err), process.wait())
    return Finished(code, stdout, stderr)


async def _tail(stream: StreamReader) -> bytes:
    kept = b""
    while chunk := await stream.read(STDERR_KEPT):
        kept = (kept + chunk)[-STDERR_KEPT:]
    return kept
