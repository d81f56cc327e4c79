"""Several processes on the same mirrors, some of them killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import psutil
import pytest

from tests.git.origins import Origin
from tests.git.processes import git_below, is_alive, writers_below
from tests.git.smart_http import GitServer
from tests.support import eventually
from worker.git import Mirrors
from worker.git.environment import git_environment
from worker.git.process import run

FETCH = """
import asyncio, sys
from pathlib import Path
from worker.git import Mirrors

async def main():
    root, url, *commits = sys.argv[1:]
    mirrors = Mirrors(Path(root), protocols=("file", "http"), fetch_timeout=20)
    for commit in commits:
        snapshot = await mirrors.fetch("p", url, commit)
        await snapshot.changes(snapshot.tree)
        print(len(await snapshot.entries()), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await mirrors.close()

asyncio.run(main())
"""
CHECKOUT = Path(__file__).parents[2]


async def start(root: Path, url: str, *commits: str) -> Process:
    command = (sys.executable, "-c", FETCH, str(root), url, *commits)
    return await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT, stdin=PIPE, stdout=PIPE)


async def test_two_processes_fetch_at_once(origin: Origin, root: Path) -> None:
    commits = [origin.commit({"0": b"0"})]
    for number in range(1, 8):
        commits.append(origin.commit({f"{number}": b"x"}, onto=commits[-1]))
    processes = [await start(root, origin.url, *commits) for _ in range(3)]
    outputs = await asyncio.gather(*(process.communicate(b"") for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [stdout.split() for stdout, _ in outputs] == [[b"%d" % n for n in range(1, 9)]] * 3
    assert len(list((root / "p").glob("g-*"))) == 1


async def test_readers_die_with_a_killed_parent(origin: Origin, root: Path) -> None:
    process = await start(root, origin.url, origin.commit({"a": b"1"}))
    assert process.stdout
    assert await process.stdout.readline() == b"1\n"
    readers = git_below(root, process.pid)
    assert len(readers) == 2
    process.kill()
    await process.communicate()
    await eventually(lambda: not any(is_alive(reader) for reader in readers))


async def test_a_worker_killed_in_mid_fetch(
    origin: Origin, server: GitServer, mirrors: Mirrors, root: Path
) -> None:
    first = origin.commit({"a": b"1"})
    await mirrors.fetch("p", server.url, first)
    second = origin.commit({"a": os.urandom(3_000_000)}, onto=first)
    server.stall_after = 1_000_000
    process = await start(root, server.url, second)
    await asyncio.wait_for(server.stalled.wait(), 10)
    writers = await eventually(lambda: writers_below(root, process.pid))
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    await eventually(lambda: not any(is_alive(writer) for writer in writers))
    server.stall_after = None
    snapshot = await mirrors.fetch("p", server.url, second)
    assert [entry.size for entry in await snapshot.entries()] == [3_000_000]
    assert not list(root.rglob("*tmp_*"))


async def test_waiting_for_another_process_does_not_block_the_loop(
    origin: Origin, server: GitServer, mirrors: Mirrors, root: Path
) -> None:
    first = origin.commit({"a": os.urandom(3_000_000)})
    server.stall_after = 1_000_000
    process = await start(root, server.url, first)
    await asyncio.wait_for(server.stalled.wait(), 10)
    waiting = asyncio.create_task(mirrors.fetch("p", server.url, first))
    other = await mirrors.fetch("q", origin.url, first)
    assert [entry.path for entry in await other.entries()] == ["a"]
    assert not waiting.done()
    server.released.set()
    snapshot = await waiting
    assert len(await snapshot.entries()) == 1
    stdout, _ = await process.communicate(b"")
    assert stdout == b"1\n"


async def test_a_cancelled_command_takes_what_left_its_group_with_it(tmp_path: Path) -> None:
    """git runs the alias in a shell, which starts something in a session of its own."""
    number = tmp_path / "number"
    script = f'setsid sh -c "echo \\$\\$ > {number}.new; mv {number}.new {number}; sleep 600"'
    environment = git_environment(tmp_path)
    running = asyncio.create_task(
        run("-c", f"alias.away=!{script} & sleep 600", "away", environment=environment)
    )
    await eventually(number.exists)
    away = psutil.Process(int(number.read_text()))
    assert is_alive(away)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_alive(away)
