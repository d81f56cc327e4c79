"""Where this process is root: becoming nobody, and reaching what only root can reach.

A user namespace of root's would leave the command root's rights over root's files, and with them
over /proc/sys. So the sandbox is made by nobody. What a command is to see, however, may lie where
nobody cannot go; root therefore binds it to a stage first, in a mount namespace of its own.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from worker.gates.sandbox.mounts import View
from worker.gates.sandbox.room import NOBODY

STAGE = Path("/mnt")
WHEEL_FOLDER = "_bin"
# One process from first to last: the worker stays the parent whose death is the command's.
_DESCEND = """
import ctypes, os, sys
worker, stage, nobody, count, *rest = sys.argv[1:]
sources, command = rest[:int(count)], rest[int(count):]
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments):
        sys.exit(f"{name} {arguments}: {os.strerror(ctypes.get_errno())}")
def die_with_worker():
    call("prctl", 1, 9, 0, 0, 0)
    if os.getppid() != int(worker):
        sys.exit("the worker is gone")
die_with_worker()
call("unshare", 0x20000)
call("mount", None, b"/", None, 0x44000, None)
call("mount", b"tmpfs", stage.encode(), b"tmpfs", 0x6, b"mode=755,size=64k")
for number, source in enumerate(sources):
    place = os.path.join(stage, str(number))
    os.mkdir(place)
    call("mount", os.fsencode(source), os.fsencode(place), None, 0x1000, None)
os.setgroups([])
os.setresgid(*[int(nobody)] * 3)
os.setresuid(*[int(nobody)] * 3)
call("prctl", 38, 1, 0, 0, 0)
die_with_worker()
os.execv(command[0], command)
"""


def staged(bwrap: Path, view: View) -> tuple[list[str], View]:
    """How to start bubblewrap as nobody, and the view as it is then to be found."""
    # The wheel's bubblewrap finds its library beside its package.
    packages = bwrap.parents[2] if bwrap.parent.name == WHEEL_FOLDER else bwrap.parent
    sources = (packages, view.tree, view.room, *view.readable.values())
    places = {source: STAGE / str(number) for number, source in enumerate(sources)}
    seen = replace(
        view,
        tree=places[view.tree],
        room=places[view.room],
        readable={path: places[source] for path, source in view.readable.items()},
    )
    descent = [sys.executable, "-I", "-S", "-c", _DESCEND, str(os.getpid())]
    descent += [str(STAGE), str(NOBODY)]
    program = places[packages] / bwrap.relative_to(packages)
    return [*descent, str(len(sources)), *map(str, sources), str(program)], seen
