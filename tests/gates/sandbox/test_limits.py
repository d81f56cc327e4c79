"""Each limit is met by a command that would go far beyond it, and each run ends soon."""

import asyncio
import os
import time
from pathlib import Path

import psutil
import pytest

from tests.gates.sandbox.conftest import LIMITS, run_python
from worker.gates.sandbox import Sandbox
from worker.gates.sandbox.limits import MEBIBYTE
from worker.gates.sandbox.output import KEPT_BYTES

# Bounded by itself, whatever the limit under test does: 300 children that sleep.
FORKS = """
import os, sys, time
started = 0
for _ in range(300):
    try:
        if os.fork() == 0:
            time.sleep(10)
            os._exit(0)
        started += 1
    except OSError as error:
        print("started", started, error.strerror, flush=True)
        time.sleep(0.5)
        sys.exit(3)
print("started", started)
"""
# Four children hold 60 MiB each, and never more: no one of them is over the limit.
MEMORY = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(os.urandom(1)) * (60 << 20)
        time.sleep(5)
        os._exit(0)
for _ in range(4):
    os.wait()
"""
ONE_HOLDER = "held = bytearray(b'x') * (600 << 20); print(len(held))"
# At most 256 MiB, in files of 4 MiB.
MANY_FILES = """
import time
for number in range(64):
    with open(f"{number}.bin", "wb") as file:
        file.write(b"x" * (4 << 20))
    time.sleep(0.02)
"""
DELETED = """
import os, time
held = []
for number in range(64):
    file = open("gone", "wb")
    os.unlink("gone")
    file.write(b"x" * (4 << 20))
    file.flush()
    held.append(file)
    time.sleep(0.02)
time.sleep(5)
"""
HIDDEN = """
import os, time
os.mkdir("dark")
for number in range(64):
    os.chmod("dark", 0o700)
    with open(f"dark/{number}.bin", "wb") as file:
        os.chmod("dark", 0)
        file.write(b"x" * (4 << 20))
    time.sleep(0.02)
time.sleep(5)
"""
PRINTING = """
import os
block = b"x" * (1 << 20)
for _ in range(10_000):
    os.write(1, block)
"""


async def test_a_fork_bomb_is_refused_processes(sandbox: Sandbox, tree: Path) -> None:
    ran = await run_python(sandbox, tree, FORKS, processes=40, seconds=15.0)
    words = ran.output.decode().split()
    assert words[0] == "started"
    assert int(words[1]) < 40
    assert ran.over == "processes"
    assert ran.exit_code is None


async def test_memory_is_counted_over_the_whole_tree(sandbox: Sandbox, tree: Path) -> None:
    ran = await run_python(sandbox, tree, MEMORY, memory_bytes=128 * MEBIBYTE, seconds=15.0)
    assert ran.over == "memory"
    assert ran.duration_ms < 5000


async def test_one_process_cannot_hold_more_than_the_limit(sandbox: Sandbox, tree: Path) -> None:
    ran = await run_python(sandbox, tree, ONE_HOLDER, memory_bytes=128 * MEBIBYTE)
    assert ran.exit_code != 0
    assert "629145600" not in ran.output.decode()


async def test_what_fits_into_the_limits_runs(sandbox: Sandbox, tree: Path) -> None:
    ran = await run_python(sandbox, tree, "print('fits')", memory_bytes=64 * MEBIBYTE, processes=8)
    assert (ran.exit_code, ran.over, ran.output) == (0, None, b"fits\n")


@pytest.mark.parametrize("program", [MANY_FILES, DELETED, HIDDEN])
async def test_a_disk_is_not_filled(sandbox: Sandbox, tree: Path, program: str) -> None:
    ran = await run_python(sandbox, tree, program, disk_bytes=24 * MEBIBYTE, seconds=15.0)
    assert ran.over == "disk"
    assert ran.duration_ms < 6000


async def test_one_file_cannot_be_larger_than_the_limit(sandbox: Sandbox, tree: Path) -> None:
    code = "open('big', 'wb').write(b'x' * (64 << 20))"
    ran = await run_python(sandbox, tree, code, disk_bytes=16 * MEBIBYTE)
    assert ran.exit_code != 0
    assert (tree / "big").stat().st_size <= 16 * MEBIBYTE


async def test_home_and_temporary_files_count(sandbox: Sandbox, tree: Path) -> None:
    code = f"import os; os.chdir('/tmp')\n{MANY_FILES}"
    ran = await run_python(sandbox, tree, code, disk_bytes=24 * MEBIBYTE, seconds=15.0)
    assert ran.over == "disk"


async def test_shared_memory_is_small(sandbox: Sandbox, tree: Path) -> None:
    code = "f = open('/dev/shm/x', 'wb')\nfor _ in range(100): f.write(b'x' * (1 << 20))"
    ran = await run_python(sandbox, tree, code, memory_bytes=128 * MEBIBYTE)
    assert b"No space left on device" in ran.output


async def test_endless_output_ends_the_run(sandbox: Sandbox, tree: Path) -> None:
    before = psutil.Process().memory_info().rss
    ran = await run_python(sandbox, tree, PRINTING, output_bytes=8 * MEBIBYTE)
    assert (ran.over, ran.exit_code) == ("output", None)
    assert len(ran.output) == KEPT_BYTES
    assert ran.duration_ms < 5000
    assert psutil.Process().memory_info().rss - before < 64 * MEBIBYTE


async def test_the_last_output_is_kept(sandbox: Sandbox, tree: Path) -> None:
    code = "import sys; print('first'); print('x' * 600_000); sys.stdout.flush(); print('last')"
    ran = await run_python(sandbox, tree, code)
    assert ran.output.endswith(b"xx\nlast\n")
    assert len(ran.output) == KEPT_BYTES


async def test_standard_output_can_be_had_whole(
    one_sandbox: Sandbox, tree: Path, tmp_path: Path
) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line number $i; i=$((i+1)); done; echo bad >&2"
    ran = await one_sandbox.run(
        ["sh", "-c", script], tree=tree, environment={}, network=False,
        limits=LIMITS, stdout=tmp_path / "out",
    )  # fmt: skip
    lines = (tmp_path / "out").read_text().splitlines()
    assert (len(lines), lines[-1]) == (20_000, "line number 19999")
    assert b"bad\n" in ran.output


async def test_time_is_limited(sandbox: Sandbox, tree: Path) -> None:
    began = time.monotonic()
    ran = await run_python(sandbox, tree, "import time; time.sleep(30)", seconds=0.5)
    assert ran.timed_out
    assert (ran.exit_code, ran.signal, ran.over) == (None, None, None)
    assert time.monotonic() - began < 10


async def test_open_files_are_limited(sandbox: Sandbox, tree: Path) -> None:
    code = "held = [open('/dev/null') for _ in range(200)]"
    ran = await run_python(sandbox, tree, code, open_files=64)
    assert ran.exit_code == 1
    assert b"Too many open files" in ran.output


async def test_runs_do_not_share_their_limits(sandbox: Sandbox, tree: Path) -> None:
    trees = [tree.parent / str(number) for number in range(3)]
    for each in trees:
        each.mkdir()
    code = "import os, time; [os.fork() or (time.sleep(0.5), os._exit(0)) for _ in range(16)]"
    runs = [run_python(sandbox, each, code, processes=24) for each in trees]
    assert [ran.exit_code for ran in await asyncio.gather(*runs)] == [0, 0, 0]


async def test_how_a_run_ended_is_told(one_sandbox: Sandbox, tree: Path) -> None:
    async def end(*argv: str) -> tuple[int | None, int | None]:
        ran = await one_sandbox.run(argv, tree=tree, environment={}, network=False, limits=LIMITS)
        return ran.exit_code, ran.signal

    assert await end("true") == (0, None)
    assert await end("sh", "-c", "exit 7") == (7, None)
    assert await end("sh", "-c", "kill -KILL $$") == (None, 9)
    assert await end("no-such-program") == (127, None)
    (tree / "not-executable").touch()
    assert await end("./not-executable") == (126, None)


async def test_a_run_says_how_it_was_held(sandbox: Sandbox, tree: Path) -> None:
    ran = await run_python(sandbox, tree, "pass")
    assert ran.environment["sandbox"] == "bubblewrap"
    assert ran.environment["network"] == "none"
    assert ("cgroup" in ran.environment["limits"]) == (sandbox.groups is not None)
    assert str(ran.tree) == "/checkout"
    assert os.path.realpath(tree) not in ran.output.decode()
