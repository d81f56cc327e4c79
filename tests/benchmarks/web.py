"""Web processes for the benchmarks, started as in production, their log lines going to a file."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from tests.benchmarks import pushes
from tests.deliveries import SECRET
from worker.embedded import EmbeddedServers
from worker.jobs.projects import Projects

START_SECONDS, STOP_SECONDS = 20.0, 20.0

Started = tuple["subprocess.Popen[bytes]", Path]


@contextmanager
def server(servers: EmbeddedServers, log: Path, python: str = sys.executable) -> Iterator[Started]:
    """A process that serves until the end, and the file that its log lines go to."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [python, "-m", "webhooks"], stderr=sink, env=_environment(servers)
        )
    try:
        yield process, log
    finally:
        process.terminate()
        if code := process.wait(STOP_SECONDS):
            print(f"server exit code {code}; its log ends: {log.read_text()[-2000:]}")


async def port_of(started: Started) -> int:
    """Where it listens, as soon as it does."""
    process, log = started
    async with asyncio.timeout(START_SECONDS):
        while b"web.started" not in (seen := log.read_bytes()):
            assert process.poll() is None, seen.decode()
            await asyncio.sleep(0.05)
    return int(json.loads(seen.splitlines()[-1])["address"].rpartition(":")[2])


async def enrol(url: str) -> None:
    """Enrol the repositories that pushes come from."""
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        for number in range(pushes.REPOSITORIES):
            name = pushes.repository(number)
            await Projects(pool).enrol(name, f"https://example.org/{name}", name, "free", None)


def _environment(servers: EmbeddedServers) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LOG_FORMAT": "json",
    }
