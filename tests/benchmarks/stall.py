"""How long a push of 25 MB holds everybody else up: `python -m tests.benchmarks.stall`.

One connection asks for `/livez` again and again while another one sends large pushes. What it waits
longest is what the event loop was stalled, and what the machine took for itself: the longest wait
without a push is told too.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import uvloop

from tests.benchmarks import pushes
from tests.benchmarks.web import enrol, port_of, server
from worker.database.migrations import migrate
from worker.embedded import EmbeddedServers

LARGE = 25 * 1024 * 1024
QUIET_SECONDS = 3.0
_LIVEZ = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Watch:
    """Asks again as soon as it is answered, and keeps every wait in seconds."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.waits: list[float] = []

    async def run(self) -> None:
        """Until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while True:
            begun = time.perf_counter()
            writer.write(_LIVEZ)
            await reader.readuntil(b"}")
            self.waits.append(time.perf_counter() - begun)

    def longest(self) -> float:
        """The longest wait since the last time that this was asked, in milliseconds."""
        waits, self.waits = self.waits, []
        return max(waits) * 1000


async def main(options: argparse.Namespace) -> None:
    """Print the longest waits."""
    with EmbeddedServers() as servers, tempfile.TemporaryDirectory() as folder:
        await migrate(servers.database_url)
        await enrol(servers.database_url)
        with server(servers, Path(folder, "server.log"), options.python) as started:
            await _measure(await port_of(started), options.pushes)
            used = psutil.Process(started[0].pid).memory_info().rss / 2**20
            print(f"memory of the web process afterwards: {used:.0f} MB")


async def _measure(port: int, count: int) -> None:
    requests = pushes.large(count, LARGE)
    watch = Watch(port)
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(QUIET_SECONDS)
    print(f"longest wait of a request without pushes: {watch.longest():.1f} ms")
    for request in requests:
        seconds = await _push(port, request)
        print(f"during a push of 25 MB, answered after {seconds:.2f} s: {watch.longest():.1f} ms")
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def _push(port: int, request: bytes) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.perf_counter()
    writer.write(request)
    answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 202"), answer
    writer.close()
    return time.perf_counter() - begun


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=5)
    parser.add_argument("--python", default=sys.executable, help="what runs the server")
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(_options()))
