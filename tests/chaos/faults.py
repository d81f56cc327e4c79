"""What can happen to a server and to the machine below it."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import asyncpg
import psutil

from worker.embedded import EmbeddedServer
from worker.embedded.server import EmbeddedServerError


@contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    """Stop a server's every process, as a machine does that hangs: connections stay open."""
    assert server.pid is not None
    parent = psutil.Process(server.pid)
    parent.suspend()
    tree = [parent, *parent.children(recursive=True)]
    _signal_all(tree, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal_all(tree, signal.SIGCONT)


@asynccontextmanager
async def exhausted(url: str) -> AsyncIterator[None]:
    """Take every connection that Postgres has to give, those of the product included."""
    async with AsyncExitStack() as taken:
        first = await asyncpg.connect(url)
        taken.push_async_callback(first.close)
        taking = asyncio.create_task(_take_all(url, taken))
        # Whoever is thrown out finds its place taken.
        for _ in range(20):
            with suppress(asyncpg.PostgresError):
                await first.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'switchyard' AND datname = current_database()"
                )
            await asyncio.sleep(0.1)
        await taking
        yield


async def _take_all(url: str, taken: AsyncExitStack) -> None:
    refusals = 0
    while refusals < 10:
        try:
            connection = await asyncpg.connect(url)
            taken.push_async_callback(connection.close)
        except asyncpg.TooManyConnectionsError:
            refusals += 1
            await asyncio.sleep(0.2)


class SmallDisk:
    """A tmpfs of so many megabytes, mounted over a server's directory until it is closed."""

    def __init__(self, server: EmbeddedServer, megabytes: int) -> None:
        self._directory = server.directory
        self._ballast = server.directory / "ballast"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs"]
        subprocess.run([*mount, str(self._directory)], check=True, capture_output=True)

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes free."""
        free = shutil.disk_usage(self._directory).free - leave
        with self._ballast.open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, free)

    def empty(self) -> None:
        """Make the room free again."""
        self._ballast.unlink()

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "-l", str(self._directory)], check=True)
        self._directory.rmdir()


def may_mount() -> bool:
    """Whether this process may mount a tmpfs."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


async def ensure_running(server: EmbeddedServer, seconds: float = 20.0) -> None:
    """Start a server that may have ended by itself, trying again while it refuses to."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not _alive(server):
        await asyncio.to_thread(server.kill)
        try:
            await asyncio.to_thread(server.start)
        except EmbeddedServerError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)


def _alive(server: EmbeddedServer) -> bool:
    if server.pid is None:
        return False
    try:
        return psutil.Process(server.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal_all(tree: list[psutil.Process], number: signal.Signals) -> None:
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
