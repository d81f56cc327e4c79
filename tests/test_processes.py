"""Trees of processes end as a whole, whatever they did to get away."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.support import eventually
from worker.processes import MARK, Tree, kill_marked, start

ENVIRONMENT = {"PATH": os.environ["PATH"]}
# Each writes its number and sleeps: a child, one in a session of its own, and a daemon, whose
# parents have ended and which ignores SIGTERM and SIGHUP.
FAMILY = """
import os, signal, sys, time

def live(name):
    with open(os.path.join(sys.argv[1], name + ".new"), "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, os.path.join(sys.argv[1], name))
    time.sleep(600)

if os.fork() == 0:
    live("child")
if os.fork() == 0:
    os.setsid()
    live("session")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        live("daemon")
    os._exit(0)
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
live("root")
"""
MEMBERS = ("root", "child", "session", "daemon")
# Bounded, each ending by itself: a test that goes wrong must not take the machine along.
# Leaves its group, and starts a hundred others one after the other; each of them only sleeps.
SPAWNER = """
import os, time
if os.fork():
    time.sleep(60)
    os._exit(0)
os.setsid()
for _ in range(100):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.002)
time.sleep(60)
os._exit(0)
"""


async def family(directory: Path, manner: str = "gentle") -> tuple[Tree, list[psutil.Process]]:
    """A tree, and its members once all of them live."""
    tree = await start(
        sys.executable, "-c", FAMILY, str(directory), manner, environment=ENVIRONMENT,
        stdout=DEVNULL,
    )  # fmt: skip
    await eventually(lambda: all((directory / name).exists() for name in MEMBERS))
    return tree, [psutil.Process(int((directory / name).read_text())) for name in MEMBERS]


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("manner", ["gentle", "stubborn"])
async def test_a_tree_ends_with_its_daemons(tmp_path: Path, manner: str) -> None:
    tree, members = await family(tmp_path, manner)
    assert all(map(alive, members))
    assert len({os.getsid(m.pid) for m in members}) == 3
    await tree.end(0.1)
    assert [m.pid for m in members if alive(m)] == []
    assert tree.process.returncode is not None


async def test_what_a_tree_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    tree, members = await family(tmp_path)
    members[0].kill()
    await tree.process.wait()
    assert alive(members[-1])
    await tree.end(5.0)
    assert [m.pid for m in members if alive(m)] == []


async def test_other_trees_live_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (one, gone), (other, left) = await family(tmp_path / "a"), await family(tmp_path / "b")
    await one.end(0.1)
    assert not any(map(alive, gone))
    assert all(map(alive, left))
    await other.end(0.1)


async def test_an_end_that_is_cancelled_is_an_end(tmp_path: Path) -> None:
    tree, members = await family(tmp_path, "stubborn")
    ending = asyncio.create_task(tree.end(60.0))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    await eventually(lambda: not any(map(alive, members)))
    await tree.process.wait()


async def test_a_tree_that_keeps_growing_ends(tmp_path: Path) -> None:
    tree = await start(sys.executable, "-c", SPAWNER, environment=ENVIRONMENT)
    await eventually(lambda: len(bearers(tree.mark)) > 3)
    await tree.end(0.05)
    await eventually(lambda: bearers(tree.mark) == [])


async def test_the_command_runs_as_asked() -> None:
    tree = await start("sh", "-c", 'echo "$A$HOME"', environment={**ENVIRONMENT, "A": "1"},
                       stdout=PIPE)  # fmt: skip
    out, _ = await tree.process.communicate()
    assert out == b"1\n"


async def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        await start("no-such-command", environment=ENVIRONMENT)


def test_a_mark_that_nobody_bears_kills_nobody() -> None:
    kill_marked("nobody")


def bearers(mark: str) -> list[int]:
    """The living processes of a tree."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and alive(process):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    """Whenever the cancellation comes: also while asyncio is still making the process."""
    seconds = str(600 + uuid4().int % 10**6 / 10**6)
    for wait in (0.0, 0.001, 0.002, 0.005, 0.01, 0.02):
        starting = asyncio.create_task(
            start(
                "sh", "-c", f"sleep {seconds} & sleep {seconds}",
                environment={"PATH": os.environ["PATH"]}, stdout=PIPE,
            )
        )  # fmt: skip
        await asyncio.sleep(wait)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await (await starting).end(0.0)
    named = psutil.process_iter(["cmdline"])
    assert [p for p in named if (p.info["cmdline"] or [])[:2] == ["sleep", seconds]] == []
