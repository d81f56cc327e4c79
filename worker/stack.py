"""The whole of Switchyard on throw-away servers: what `switchyard demo` and `switchyard up` run."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from worker.database.migrations import migrate
from worker.embedded import EmbeddedServers

READY_SECONDS = 30.0
STOP_SECONDS = 40.0


class Stack:
    """Embedded servers, the web service and a worker, each a process as in production.

    `url` and `worker_url` are where they answer, `secret` signs pushes, emails are written to
    `outbox`, and outgoing webhooks may reach this machine. `output` gets their logs.
    They end with this process, however it ends.
    """

    def __init__(self, directory: Path, output: IO[bytes] | None, **environment: str) -> None:
        self.secret = secrets.token_hex(20)
        self.servers = EmbeddedServers()
        self.outbox = directory / "outbox"
        self._key = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self._directory = directory
        self._output = output
        self._environment = environment
        self._ports = _free_port(), _free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """The web service."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def worker_url(self) -> str:
        """The worker's health server."""
        return f"http://127.0.0.1:{self._ports[1]}"

    def __enter__(self) -> Self:
        self.servers.__enter__()
        try:
            asyncio.run(migrate(self.servers.database_url))
            scripts = Path(sys.executable).parent
            self._run([sys.executable, "-m", "webhooks"])
            self._run([str(scripts / "arq"), "worker.WorkerSettings"])
            for url in (self.url, self.worker_url):
                self._wait_until_ready(url)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.servers.close()

    def wait(self) -> int:
        """Wait until one of the processes ends; answers its exit code."""
        while True:
            for process in self._processes:
                if process.poll() is not None:
                    return process.returncode
            time.sleep(0.2)

    def _run(self, command: list[str]) -> None:
        environment = os.environ | {
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "GITHUB_WEBHOOK_SECRET": self.secret,
            "HOST": "127.0.0.1",
            "PORT": str(self._ports[0]),
            "HEALTH_CHECK_PORT": str(self._ports[1]),
            "GIT_CACHE_DIR": str(self._directory / "mirrors"),
            "ENDPOINT_ENCRYPTION_KEY": self._key,
            "EMAIL_OUTBOX_DIR": str(self.outbox),
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **self._environment,
        }
        self._processes.append(
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                # The guard of the embedded servers ends its whole group when this process dies.
                process_group=self.servers.redis.guard_pid,
            )
        )

    def _wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(url):
            ended = [p for p in self._processes if p.poll() is not None]
            if ended or time.monotonic() > deadline:
                codes = ", ".join(str(p.returncode) for p in ended) or "none ended"
                raise RuntimeError(f"{url} did not become ready (exit codes: {codes})")
            time.sleep(0.02)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
