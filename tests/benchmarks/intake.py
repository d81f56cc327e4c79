"""Signed pushes accepted per second: `python -m tests.benchmarks.intake [--processes N]`.

Each server is a process of its own, started as in production, its log lines going to a file; with
more than one the connections are shared out among them, as any load balancer does. The client is
raw sockets with requests built and signed beforehand, on the same machine. Every push is to a
branch of its own unless `--branches` says otherwise: then newer ones supersede older ones.
Afterwards the record must hold exactly one delivery and one job for every 202.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import asyncpg
import psutil
import uvloop

from tests.benchmarks import pushes
from tests.benchmarks.web import Started, enrol, port_of, server
from worker.database.migrations import migrate
from worker.embedded import EmbeddedServers

WARM_UP = 4_000
_RUN_SECONDS = 120.0


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
        load = self._load
        load.latencies.append(time.perf_counter() - self._sent)
        if data.startswith(b"HTTP/1.1 202") and b'"accepted":true' in data:
            load.accepted += 1
        else:
            load.refused.append(data)
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


class Costs:
    """Seconds of CPU by who spends them, since this was made."""

    def __init__(self, servers: EmbeddedServers, started: Sequence[Started]) -> None:
        self._pids = {
            "web": [process.pid for process, _ in started],
            "postgres": [servers.postgres.pid or 0],
            "redis": [servers.redis.pid or 0],
            "client": [os.getpid()],
        }
        self._before = self._spent()

    def spent(self) -> dict[str, float]:
        """What each has used up to now."""
        return {who: s - self._before[who] for who, s in self._spent().items()}

    def _spent(self) -> dict[str, float]:
        return {who: sum(map(_cpu_seconds, pids)) for who, pids in self._pids.items()}


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    # Postgres works in children; the client's are the others of this list.
    family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
    times = [p.cpu_times() for p in family]
    return float(sum(t.user + t.system for t in times))


async def main(options: argparse.Namespace) -> None:
    """Print the figures; raises AssertionError when the record differs from the answers."""
    with EmbeddedServers() as servers, tempfile.TemporaryDirectory() as folder:
        await migrate(servers.database_url)
        await enrol(servers.database_url)
        with ExitStack() as stack:
            started = [
                stack.enter_context(
                    server(servers, Path(folder, f"server-{n}.log"), options.python)
                )
                for n in range(options.processes)
            ]
            ports = [await port_of(one) for one in started]
            warm_up = await _run(
                ports, pushes.requests(WARM_UP, WARM_UP, "warm-up"), options.connections
            )
            requests = pushes.requests(
                options.requests, options.branches or options.requests, "load"
            )
            costs, begun = Costs(servers, started), time.perf_counter()
            load = await _run(ports, requests, options.connections)
            _report(load, time.perf_counter() - begun, costs.spent(), options)
            _report_memory(started)
        await _verify(servers.database_url, warm_up.accepted + load.accepted)


async def _run(ports: list[int], requests: list[bytes], connections: int) -> Load:
    load = Load(requests)
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Sender(load), "127.0.0.1", ports[n % len(ports)])
        for n in range(connections)
    ]
    async with asyncio.timeout(_RUN_SECONDS):
        await asyncio.gather(*(sender.finished for _, sender in pairs))
    return load


def _report(
    load: Load, seconds: float, costs: dict[str, float], options: argparse.Namespace
) -> None:
    times = sorted(load.latencies)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    branches = options.branches or len(times)
    print(
        f"{len(times)} signed pushes of 5 kB to {branches} branches over {options.connections} "
        f"connections to {options.processes} processes: "
        f"{len(times) / seconds:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"{load.accepted} accepted, {len(load.refused)} refused"
    )
    each = ", ".join(f"{who} {spent / len(times) * 1e6:.0f}" for who, spent in costs.items())
    busy = sum(costs.values()) / seconds
    print(f"microseconds of CPU a push: {each}; together {busy:.2f} cores")


def _report_memory(started: Sequence[Started]) -> None:
    used = [psutil.Process(process.pid).memory_info().rss / 2**20 for process, _ in started]
    print(f"memory of a web process afterwards: {max(used):.0f} MB")


async def _verify(url: str, accepted: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetchval("SELECT count(*) FROM webhook_events")
        jobs = await connection.fetchval("SELECT count(DISTINCT delivery_id) FROM jobs")
        gone = await connection.fetchval("SELECT count(*) FROM jobs WHERE state = 'superseded'")
    finally:
        await connection.close()
    assert (rows, jobs) == (accepted, accepted), f"{accepted} accepted, {rows} rows, {jobs} jobs"
    print(f"the record has exactly {rows} deliveries and as many jobs, {gone} of them superseded")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--branches", type=int, default=0, help="0: one for each push")
    parser.add_argument("--python", default=sys.executable, help="what runs the servers")
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(_options()))
