"""Runs git: one process group for each command, ended as a whole, dying with this process."""

import asyncio
import os
import shutil
import signal
import subprocess
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import cast

from worker.git.errors import GitFailed

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

    Cancellation (and with it any timeout) ends the whole process group before it propagates.
    """
    process = await spawn(*_dies_with_parent(), "git", *arguments, environment=environment)
    reading = asyncio.ensure_future(_collect(process))
    try:
        while not reading.done():
            await asyncio.wait({reading}, timeout=GUARD_SECONDS)
            if guard:
                guard()
        return reading.result()
    finally:
        if not reading.done():
            await _end_group(process, reading)


async def spawn(
    *command: str, environment: Mapping[str, str], stdin: int = DEVNULL, stderr: int = PIPE
) -> Process:
    """Start a command in a session of its own."""
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd="/",
            stdin=stdin,
            stdout=PIPE,
            stderr=stderr,
            limit=STREAM_LIMIT,
            start_new_session=True,
        )
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


async def _end_group(process: Process, reading: asyncio.Future[Finished]) -> None:
    try:
        _signal_group(process, signal.SIGTERM)
        await asyncio.wait({reading}, timeout=GRACE_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)
    await asyncio.wait({reading})


def _signal_group(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
