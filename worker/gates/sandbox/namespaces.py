"""A listening socket inside another process's network, made from outside it."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE

from worker.gates.errors import SandboxUnavailable

SECONDS = 10.0
# Entering a network takes the rights of the user namespace that owns it, and a process of its
# own, because it cannot be undone.
_LISTEN = """
import ctypes, fcntl, os, socket, sys
pid, port, out = map(int, sys.argv[1:])
libc = ctypes.CDLL(None, use_errno=True)
def enter(descriptor, kind):
    if libc.setns(descriptor, kind):
        raise OSError(ctypes.get_errno(), "setns")
net = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
if os.geteuid():
    enter(fcntl.ioctl(net, 0xB701), 0x10000000)
enter(net, 0x40000000)
listener = socket.create_server(("127.0.0.1", port), backlog=128)
socket.send_fds(socket.socket(fileno=out), [b"."], [listener.fileno()])
"""


async def listen_inside(pid: int, port: int) -> socket.socket:
    """A socket listening on 127.0.0.1:port as `pid` sees it. Raises SandboxUnavailable."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-c", _LISTEN, str(pid), str(port), str(theirs.fileno()),
            env={}, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, pass_fds=(theirs.fileno(),),
        )  # fmt: skip
        theirs.close()
        try:
            async with asyncio.timeout(SECONDS):
                _, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise SandboxUnavailable(f"no way out of the sandbox: {_last_line(errors)}")
        return _received(ours)


def _received(channel: socket.socket) -> socket.socket:
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    listener = socket.socket(fileno=descriptors[0])
    os.set_inheritable(listener.fileno(), False)
    listener.setblocking(False)
    return listener


def _last_line(text: bytes) -> str:
    return (text.decode(errors="replace").strip().splitlines() or ["it did not start"])[-1]
