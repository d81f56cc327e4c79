"""Nothing of a run outlives it: not its daemons, not when this process is cancelled or killed."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.gates.sandbox.conftest import TOOLS, run_python, skip_where_not_installable
from tests.support import eventually
from worker.gates.sandbox import Sandbox
from worker.gates.sandbox.cgroups import PREFIX

REPOSITORY = Path(__file__).parents[3]
SEARCHED = os.pathsep.join((str(REPOSITORY), *sys.path))
# A child, a session of its own, and a daemon that ignores what can be ignored; all of them
# bear the token in their arguments, and live for a minute at most.
FAMILY = """
import os, signal, sys, time
def live(name):
    open(name, "w").close()
    time.sleep(60)
    os._exit(0)
if os.fork() == 0:
    live("child")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        live("daemon")
    os._exit(0)
while not (os.path.exists("child") and os.path.exists("daemon")):
    time.sleep(0.005)
open("all", "w").close()
if sys.argv[2] == "stay":
    time.sleep(60)
"""
# A worker that runs the family, for tests that kill it.
WORKER = """
import asyncio, sys
from pathlib import Path
from tests.gates.sandbox.conftest import TOOLS, run_python
from tests.gates.sandbox.test_ending import FAMILY
from worker.gates.sandbox import Sandbox

async def main():
    sandbox = await Sandbox.probe(readable=TOOLS, use_groups=sys.argv[3] == "groups")
    print("probed", flush=True)
    await run_python(sandbox, Path(sys.argv[1]), FAMILY, sys.argv[2], "stay")

asyncio.run(main())
"""


@pytest.fixture
def token() -> str:
    return f"family-{uuid.uuid4().hex}"


def bearers(token: str) -> list[psutil.Process]:
    """The living processes with this token among their arguments, bubblewrap's included."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if token in (process.info["cmdline"] or ()) and process.info["status"] != "zombie"
    ]


def runs_program(process: psutil.Process) -> bool:
    """Whether this is the command itself, and not what starts or holds it."""
    return list(process.info["cmdline"][1:3]) == ["-I", "-c"]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_daemons_end_with_their_run(sandbox: Sandbox, tree: Path, token: str) -> None:
    ran = await run_python(sandbox, tree, FAMILY, token, "leave")
    assert ran.exit_code == 0
    assert (tree / "daemon").exists()
    assert bearers(token) == []


async def test_time_over_ends_all_of_it(sandbox: Sandbox, tree: Path, token: str) -> None:
    ran = await run_python(sandbox, tree, FAMILY, token, "stay", seconds=3.0)
    assert ran.timed_out
    assert (tree / "all").exists()
    assert bearers(token) == []


async def test_cancelling_ends_all_of_it(sandbox: Sandbox, tree: Path, token: str) -> None:
    running = asyncio.ensure_future(run_python(sandbox, tree, FAMILY, token, "stay"))
    await eventually((tree / "all").exists)
    assert len(bearers(token)) >= 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bearers(token) == []
    await eventually(lambda: [path.name for path in tree.parent.iterdir()] == ["tree"])


@pytest.fixture(params=["groups", "counted"])
def start_worker(
    request: pytest.FixtureRequest, tree: Path, token: str
) -> Iterator["subprocess.Popen[bytes]"]:
    skip_where_not_installable()
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tree), token, request.param],
        cwd=REPOSITORY, stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SEARCHED},
    )  # fmt: skip
    with process:
        yield process
        process.kill()


async def test_a_killed_worker_takes_the_tree_along(
    start_worker: "subprocess.Popen[bytes]", tree: Path, token: str
) -> None:
    await eventually((tree / "all").exists, timeout=20)
    assert len(bearers(token)) >= 3
    start_worker.kill()
    await eventually(lambda: bearers(token) == [])


@pytest.mark.parametrize("turn", range(6))
async def test_a_worker_killed_at_any_moment_leaves_nothing(
    start_worker: "subprocess.Popen[bytes]", token: str, turn: int
) -> None:
    assert start_worker.stdout is not None
    await asyncio.to_thread(start_worker.stdout.readline)
    await asyncio.sleep(random.Random(turn).uniform(0, 0.08))
    start_worker.send_signal(signal.SIGKILL)
    start_worker.wait()
    await eventually(lambda: [p for p in bearers(token) if runs_program(p)] == [])

    # What waits for a worker that is gone has run nothing, and ends when another one starts a run:
    # the first that comes after it began to wait.
    async def none_is_left() -> bool:
        await Sandbox.probe(readable=TOOLS)
        return bearers(token) == []

    ended: bool = await eventually(none_is_left)
    assert ended


async def test_a_run_leaves_no_room_group_or_descriptor(sandbox: Sandbox, tree: Path) -> None:
    await run_python(sandbox, tree, "pass")
    descriptors = open_descriptors()
    for _ in range(3):
        await run_python(sandbox, tree, "pass")
        await run_python(sandbox, tree, "import time; time.sleep(60)", seconds=0.05)
    assert open_descriptors() <= descriptors
    assert [path.name for path in tree.parent.iterdir()] == ["tree"]
    for place in sandbox.groups.places if sandbox.groups else ():
        assert list(place.glob(f"{PREFIX}{os.getpid()}-*")) == []


async def test_many_run_at_once(sandbox: Sandbox, tree: Path) -> None:
    trees = [tree.parent / str(number) for number in range(6)]
    for number, each in enumerate(trees):
        each.mkdir()
        (each / "number").write_text(str(number))
    code = "print(open('number').read(), end='')"
    runs = await asyncio.gather(*(run_python(sandbox, each, code) for each in trees))
    assert [ran.output for ran in runs] == [str(number).encode() for number in range(6)]


async def test_a_terminal_cannot_be_typed_into(tree: Path) -> None:
    """The worker has a terminal; the command looks for it and tries to put a line into it."""
    skip_where_not_installable()
    program = """
import asyncio, sys
from pathlib import Path
from tests.gates.sandbox.conftest import TOOLS, run_python
from worker.gates.sandbox import Sandbox
TYPE = '''
import fcntl, os, termios
opened = [0, 1, 2]
try:
    opened.append(os.open("/dev/tty", os.O_RDWR))
except OSError as error:
    print("no terminal:", error.strerror)
for number in opened:
    try:
        for byte in b"typed":
            fcntl.ioctl(number, termios.TIOCSTI, bytes([byte]))
        print("TYPED")
    except OSError as error:
        print("refused:", error.strerror)
'''
async def main():
    sandbox = await Sandbox.probe(readable=TOOLS)
    ran = await run_python(sandbox, Path(sys.argv[1]), TYPE)
    Path(sys.argv[2]).write_bytes(ran.output)
open("/dev/tty").close()
asyncio.run(main())
"""
    told = tree.parent / "told"
    command = f"{sys.executable} {tree.parent / 'program.py'} {tree} {told}"
    (tree.parent / "program.py").write_text(program)
    done = await asyncio.to_thread(
        subprocess.run, ["script", "-qec", command, "/dev/null"], cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SEARCHED}, capture_output=True,
        stdin=subprocess.DEVNULL, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    text = told.read_text()
    assert "no terminal" in text
    assert text.count("refused") == 3
    assert "TYPED" not in text
