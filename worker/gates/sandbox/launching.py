"""Starting a command so that it waits, and letting it go once it is held by its limits."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from worker.gates.errors import SandboxUnavailable
from worker.gates.sandbox.bubblewrap import command
from worker.gates.sandbox.mounts import View
from worker.gates.sandbox.orphans import owned
from worker.gates.sandbox.seccomp import open_filter
from worker.processes import Tree, start

SET_UP_SECONDS = 20.0
END_SECONDS = 5.0
NICENESS = 10
STREAM_LIMIT = 1024 * 1024
# Reads one line before it becomes the command, which then finds nothing to read. When the worker
# is gone there is none, and it ends: what nobody watches must not run.
_WAITING = ("/bin/sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh")
# bubblewrap waits for the first byte, and what becomes the command for a line.
_GO = b"\n\n"


@dataclass
class Launched:
    """A command that waits. `pid` is the first process of all that it will start.

    `facts` is where bubblewrap tells of it; None where there is no isolation.
    """

    tree: Tree
    pid: int
    handle: int
    gate: int
    facts: int | None
    was_set_up: bool = False
    _ended: bool = False

    @property
    def isolated(self) -> bool:
        """Whether it is in namespaces of its own."""
        return self.facts is not None

    def yield_to_others(self) -> None:
        """Run it only with what time this process and its neighbours leave."""
        os.setpriority(os.PRIO_PROCESS, self.pid, NICENESS)

    def release(self) -> None:
        """Let the command run, unless what was to become it has ended."""
        with suppress(BrokenPipeError):
            os.write(self.gate, _GO)
        self._shut()

    async def wait(self) -> None:
        """Return once the first process has ended; in isolation it is the last one, too."""
        # Not only `Process.wait`: that waits for whoever still holds the streams, too.
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.handle)
        if self.isolated:
            await self.tree.process.wait()

    async def end(self) -> None:
        """Kill all of it. Ends with the last process, also if the caller is cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._shut()
        # The first process of a namespace takes all others along, and goes only after them.
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self.wait()
        await self.tree.end(0.0)
        os.close(self.handle)
        if self.facts is not None:
            # Told only of a command that was started, and not of what failed before.
            self.was_set_up = b"exit-code" in os.read(self.facts, STREAM_LIMIT)
            os.close(self.facts)

    def _shut(self) -> None:
        if self.gate >= 0:
            os.close(self.gate)
            self.gate = -1


async def complaint(tree: Tree) -> str:
    """Why bubblewrap gave up, once it has ended."""
    streams = (tree.process.stderr, tree.process.stdout)
    texts = [await stream.read() for stream in streams if stream]
    return why(b" ".join(texts))


def why(said: bytes) -> str:
    """What to tell people of what bubblewrap said."""
    text = said.decode(errors="replace").strip()[-500:] or "it gave no reason"
    return f"bubblewrap cannot isolate a command here ({text}); nothing was run"


async def launch(
    bwrap: Path,
    view: View,
    argv: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    apart: bool,
) -> Launched:
    """Start `argv` isolated; `apart` keeps its two streams apart. Raises SandboxUnavailable."""
    facts, facts_in = os.pipe()
    gate_out, gate = os.pipe()
    wired = {"--json-status-fd": facts_in, "--block-fd": gate_out}
    if (calls := open_filter()) is not None:
        wired["--seccomp"] = calls
    line = command(
        bwrap,
        view,
        (*_WAITING, *argv),
        directory=directory,
        environment=environment,
        descriptors=wired,
    )
    try:
        tree = await _start(line, apart, stdin=gate_out, pass_fds=tuple(wired.values()))
    except BaseException:
        os.close(facts)
        os.close(gate)
        raise
    finally:
        for descriptor in wired.values():
            os.close(descriptor)
    return await _ready(tree, facts, gate)


async def launch_bare(
    argv: Sequence[str], directory: Path, environment: Mapping[str, str], *, apart: bool
) -> Launched:
    """Start `argv` without isolation."""
    gate_out, gate = os.pipe()
    try:
        tree = await _start(
            (*_WAITING, *argv), apart, stdin=gate_out, cwd=directory, environment=environment
        )
    except BaseException:
        os.close(gate)
        raise
    finally:
        os.close(gate_out)
    pid = tree.process.pid
    return Launched(tree, pid, os.pidfd_open(pid), gate, None)


async def _start(
    line: Sequence[str],
    apart: bool,
    *,
    environment: Mapping[str, str] | None = None,
    **options: object,
) -> Tree:
    # What bubblewrap itself is given can be read by the command in /proc/1.
    own = {"PATH": os.environ.get("PATH", os.defpath), **owned()}
    return await start(
        *line,
        environment=own if environment is None else environment,
        stdout=PIPE,
        stderr=PIPE if apart else STDOUT,
        limit=STREAM_LIMIT,
        **{"cwd": "/", **options},
    )


async def _ready(tree: Tree, facts: int, gate: int) -> Launched:
    try:
        async with asyncio.timeout(SET_UP_SECONDS):
            told = await asyncio.to_thread(_first_line, facts)
        pid = int(json.loads(told)["child-pid"])
        return Launched(tree, pid, os.pidfd_open(pid), gate, facts)
    except (ValueError, KeyError, TimeoutError, ProcessLookupError) as error:
        await _give_up(tree, facts, gate)
        raise SandboxUnavailable(await complaint(tree)) from error
    except BaseException:
        await _give_up(tree, facts, gate)
        raise


async def _give_up(tree: Tree, facts: int, gate: int) -> None:
    os.close(gate)
    await tree.end(0.0)
    os.close(facts)


def _first_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (more := os.read(descriptor, 1)):
        line += more
    return line
