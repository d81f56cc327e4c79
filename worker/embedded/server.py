"""What the two servers have in common: a directory, a guard, and how to start and end."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, Self

START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.005

# `0` is the guard's own process group, which the servers join.
GUARD = "trap '' INT; read -r _; kill -INT 0; sleep 1; rm -rf -- \"$1\"; kill -KILL 0"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedServerError(RuntimeError):
    """A server could not be found or started; the message says what to do."""


class EmbeddedServer(ABC):
    """One server process with its own directory, data and address.

    The address and the data directory stay the same over stop, kill and start, until `close`.
    """

    stop_signal: ClassVar = signal.SIGINT
    crash_signal: ClassVar = signal.SIGKILL

    def __init__(self, port: int | None = None) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        # A fixed parent: a socket's path may have no more than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="switchyard-", dir="/tmp"))
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            process_group=0,
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def guard_pid(self) -> int:
        """The process id of the guard, and so of the server's process group."""
        return self._guard.pid

    def start(self) -> None:
        """Start on the existing data, if any, and return when connections are accepted."""
        if self._process:
            raise EmbeddedServerError(f"{self._name} is already running as pid {self.pid}")
        self._process = self._spawn(self._command())
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                raise self._failed("did not start")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End it in good order; does nothing if it is not running."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it as a crash would: no goodbyes, nothing written that was not already."""
        self._end(self.crash_signal)

    def restart(self) -> None:
        """Stop, and start again on the same data and address."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove everything that it had on disk; may be called twice."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin:
            self._guard.stdin.close()

    @property
    def _name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _ready(self) -> bool: ...

    def _identity(self) -> dict[str, Any]:
        """The Popen arguments that choose the user to run as."""
        return {}

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._log() as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                process_group=self.guard_pid,
                **self._identity(),
            )

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log(self) -> IO[bytes]:
        return (self.directory / "log").open("ab")

    def _failed(self, what: str) -> EmbeddedServerError:
        log = (self.directory / "log").read_text(errors="replace")
        return EmbeddedServerError(f"{self._name} {what}. The end of its log:\n{log[-2000:]}")


def installed(name: str) -> Path | None:
    """Where a package is installed, found without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
