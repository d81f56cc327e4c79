"""From the release of a command to its verdict: reading, watching, waiting, ending."""

import asyncio
import signal
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from worker.gates.errors import SandboxUnavailable
from worker.gates.sandbox.launching import Launched, why
from worker.gates.sandbox.limits import Over, Ran
from worker.gates.sandbox.output import Output
from worker.gates.sandbox.watching import Watch

SIGNALLED = 128


async def supervise(
    launched: Launched,
    watch: Watch,
    stdout: Path | None,
    tree: PurePosixPath,
    environment: Mapping[str, str],
) -> Ran:
    """Release a command that waits, and see it to its end.

    Raises SandboxUnavailable where its surroundings could not be set up.
    """
    overflow: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
    output = Output(watch.limits.output_bytes, lambda: _settle(overflow))
    reading = _read(launched, output, stdout)
    began = time.monotonic()
    launched.release()
    try:
        over, timed_out = await _until_end(launched, watch, overflow)
        ended = time.monotonic()
    finally:
        await launched.end()
        await reading
    code = launched.tree.process.returncode
    if launched.isolated and not (launched.was_set_up or over or timed_out):
        raise SandboxUnavailable(why(output.tail))
    if over is None and not timed_out and code != 0:
        over = await watch.afterwards()
    told, number = _meaning(code, ended_by_us=over is not None or timed_out)
    duration = round((ended - began) * 1000)
    return Ran(told, number, timed_out, over, output.tail, duration, tree, environment)


async def _until_end(
    launched: Launched, watch: Watch, overflow: asyncio.Future[Over]
) -> tuple[Over | None, bool]:
    waiting: asyncio.Future[None] = asyncio.ensure_future(launched.wait())
    watching: asyncio.Future[Over] = asyncio.ensure_future(watch.until_over())
    ends: set[asyncio.Future[Any]] = {waiting, watching, overflow}
    try:
        done, _ = await asyncio.wait(
            ends, timeout=watch.limits.seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()
        watching.cancel()
        await asyncio.wait((waiting, watching))
    for limit in (overflow, watching):
        if limit in done:
            return limit.result(), False
    return None, not done


def _read(launched: Launched, output: Output, stdout: Path | None) -> "asyncio.Future[list[None]]":
    process = launched.tree.process
    streams = [(process.stdout, stdout), (process.stderr, None)]
    return asyncio.gather(*(output.read(stream, copy) for stream, copy in streams if stream))


def _settle(overflow: asyncio.Future[Over]) -> None:
    if not overflow.done():
        overflow.set_result("output")


def _meaning(code: int | None, *, ended_by_us: bool) -> tuple[int | None, int | None]:
    """Exit code and signal; a shell and bubblewrap report a signal as 128 and its number."""
    if code is None or ended_by_us:
        return None, None
    number = -code if code < 0 else code - SIGNALLED
    if number in signal.valid_signals():
        return None, int(number)
    return code, None
