"""Signed pushes accepted per second: `python -m tests.benchmarks.intake [--processes N]`.

Each server is a process of its own, started as in production, its log lines going to a file; with
more than one the connections are shared out among them, as any load balancer does.
The client is raw sockets with requests built beforehand, on the same machine. Afterwards the
record must hold exactly one delivery and one job for every 202.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

import asyncpg
import psutil
import uvloop

from tests.deliveries import SECRET, Recorded, encode, load
from webhooks.github.signatures import sign
from worker.database.migrations import migrate
from worker.embedded import EmbeddedServers
from worker.jobs.projects import Projects

WARM_UP = 4_000
BODY_BYTES = 5_000
_START_SECONDS, _RUN_SECONDS = 20.0, 120.0

Started = tuple["subprocess.Popen[bytes]", Path]


@dataclass
class Load:
    """Requests still to be sent, and what came of those sent; times are seconds."""

    requests: list[bytes]
    latencies: list[float] = field(default_factory=list)
    accepted: int = 0
    refused: list[bytes] = field(default_factory=list)


class Sender(asyncio.Protocol):
    """One keep-alive connection that sends the next request as soon as it is answered."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._sent = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Every answer is small enough to come in one piece."""
        self._load.latencies.append(time.perf_counter() - self._sent)
        if data.startswith(b"HTTP/1.1 202") and b'"accepted":true' in data:
            self._load.accepted += 1
        else:
            self._load.refused.append(data)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ending is only expected from our side."""
        if not self.finished.done():
            self.finished.set_exception(exc or ConnectionError("closed by the server"))

    def _send(self) -> None:
        if not self._load.requests:
            self.finished.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._load.requests.pop())


async def main(options: argparse.Namespace) -> None:
    """Print the figures; raises AssertionError when the record differs from the answers."""
    with EmbeddedServers() as servers, tempfile.TemporaryDirectory() as folder:
        await migrate(servers.database_url)
        await _enrol(servers.database_url)
        with ExitStack() as stack:
            started = [
                stack.enter_context(_server(servers, Path(folder, f"server-{n}.log")))
                for n in range(options.processes)
            ]
            ports = [await _port(log, server) for server, log in started]
            warm_up = await _run(ports, WARM_UP, options.connections)
            busy, begun = _cpu_seconds(started), time.perf_counter()
            load = await _run(ports, options.requests, options.connections)
            _report(load, time.perf_counter() - begun, options)
            busy = _cpu_seconds(started) - busy
            print(f"server CPU: {busy / options.requests * 1e6:.0f} us a push")
        await _verify(servers.database_url, warm_up.accepted + load.accepted)


@contextmanager
def _server(servers: EmbeddedServers, log: Path) -> Iterator[Started]:
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [sys.executable, "-m", "webhooks"], stderr=sink, env=_environment(servers)
        )
    try:
        yield server, log
    finally:
        server.terminate()
        if code := server.wait(20):
            print(f"server exit code {code}; its log ends: {log.read_text()[-2000:]}")


async def _run(ports: list[int], count: int, connections: int) -> Load:
    load = Load(_requests(count))
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Sender(load), "127.0.0.1", ports[n % len(ports)])
        for n in range(connections)
    ]
    async with asyncio.timeout(_RUN_SECONDS):
        await asyncio.gather(*(sender.finished for _, sender in pairs))
    return load


def _requests(count: int) -> list[bytes]:
    recorded = load("push_branch")
    bodies = [_sized(recorded, commit=f"{n:040x}") for n in range(1, 257)]
    heads = [_head(recorded, body) for body in bodies]
    return [
        b"%bX-GitHub-Delivery: %b\r\n\r\n%b"
        % (heads[n % 256], str(uuid4()).encode(), bodies[n % 256])
        for n in range(count)
    ]


def _sized(recorded: Recorded, commit: str) -> bytes:
    document = json.loads(recorded.with_body(after=commit).body)
    document["commits"] = document["commits"][:1]
    kept = ("id", "name", "full_name", "private", "owner", "html_url", "clone_url",
            "default_branch", "master_branch", "pushed_at")  # fmt: skip
    document["repository"] = {k: document["repository"][k] for k in kept}
    missing = BODY_BYTES - len(encode(document))
    assert missing > 0, f"the recorded push is {-missing} bytes too long"
    document["commits"][0]["message"] += "x" * missing
    return encode(document)


def _head(recorded: Recorded, body: bytes) -> bytes:
    headers = {k: v for k, v in recorded.headers.items() if k != "X-GitHub-Delivery"}
    headers |= {
        "Host": "127.0.0.1",
        "Content-Length": str(len(body)),
        "X-Hub-Signature-256": sign(body, SECRET),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"POST /api/webhooks/github HTTP/1.1\r\n" + lines.encode()


def _report(load: Load, seconds: float, options: argparse.Namespace) -> None:
    times = sorted(load.latencies)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"{len(times)} signed pushes of {BODY_BYTES} bytes over {options.connections} connections "
        f"to {options.processes} processes: "
        f"{len(times) / seconds:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"{load.accepted} accepted, {len(load.refused)} refused"
    )


def _cpu_seconds(started: Sequence[Started]) -> float:
    times = [psutil.Process(server.pid).cpu_times() for server, _ in started]
    return float(sum(t.user + t.system for t in times))


async def _enrol(url: str) -> None:
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        await Projects(pool).enrol(
            "benchmark", "https://example.org/x.git", "example-org/harbour-ledger", "free", None
        )


def _environment(servers: EmbeddedServers) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LOG_FORMAT": "json",
    }


async def _port(log: Path, server: "subprocess.Popen[bytes]") -> int:
    async with asyncio.timeout(_START_SECONDS):
        while b"web.started" not in (seen := log.read_bytes()):
            assert server.poll() is None, seen.decode()
            await asyncio.sleep(0.05)
    return int(json.loads(seen.splitlines()[-1])["address"].rpartition(":")[2])


async def _verify(url: str, accepted: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetchval("SELECT count(*) FROM webhook_events")
        jobs = await connection.fetchval("SELECT count(DISTINCT delivery_id) FROM jobs")
    finally:
        await connection.close()
    assert (rows, jobs) == (accepted, accepted), f"{accepted} accepted, {rows} rows, {jobs} jobs"
    print(f"the record has exactly {rows} deliveries and as many jobs")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(_options()))
