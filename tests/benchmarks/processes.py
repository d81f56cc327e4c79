"""Worker processes for the benchmarks, started as in production."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.embedded import EmbeddedServers

BIN = Path(sys.executable).parent


@contextmanager
def worker(
    settings: str, servers: EmbeddedServers, **extra: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `arq SETTINGS` on these servers; its log lines are written, and thrown away."""
    environment = os.environ | {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "HOST": "127.0.0.1",
        "HEALTH_CHECK_PORT": "0",
        "LOG_FORMAT": "json",
        **extra,
    }
    with Path(os.devnull).open("wb") as sink:
        process = subprocess.Popen(
            [str(BIN / "arq"), settings], env=environment, stdout=sink, stderr=sink,
            process_group=servers.redis.guard_pid,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)
