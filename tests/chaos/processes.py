"""A process of the product, as its operator sees it."""

import json
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support import eventually

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Usage:
    """Resident memory in bytes, and open file descriptors."""

    memory: int
    files: int


class Process:
    """A process of the product: its log of JSON lines, its signals, its exit code."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.warm: Usage | None = None
        self.last: Usage | None = None
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.pid = self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal that ended it."""
        return self._popen.poll()

    @property
    def text(self) -> str:
        """Everything that it wrote."""
        return self.log.read_text(errors="replace")

    def entries(self) -> list[dict[str, Any]]:
        """Its log lines. The last one may have been cut short by the end of the process."""
        lines = (line for line in self.text.splitlines() if line.startswith("{"))
        return [json.loads(line) for line in lines if line.endswith("}")]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [entry for entry in self.entries() if entry.get("event") == event]

    async def logged(self, event: str, timeout: float = START_SECONDS) -> dict[str, Any]:
        """The first line of that event, awaited."""

        def found() -> list[dict[str, Any]]:
            ended = self.exit_code
            lines = self.lines(event)
            if ended is not None and not lines:
                raise RuntimeError(f"ended with {ended}: {self.text[-3000:]}")
            return lines

        return (await eventually(found, timeout))[0]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    async def ended(self, timeout: float = STOP_SECONDS) -> int:
        """Wait for the end; answers the exit code."""
        await until(lambda: self.exit_code is not None, timeout)
        return self._popen.returncode

    async def stop(self) -> None:
        """SIGTERM, which must end it in good order."""
        self.last = self.usage()
        self.signal(signal.SIGTERM)
        assert await self.ended() == 0, self.text[-3000:]

    async def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        await self.ended()

    def cpu_seconds(self) -> float:
        """What it has used of the processor so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def usage(self) -> Usage:
        """What it has of memory and files now."""
        process = psutil.Process(self.pid)
        return Usage(process.memory_info().rss, process.num_fds())

    def discard(self) -> None:
        """End whatever is left of it."""
        if self.exit_code is None:
            self._popen.kill()
        self._popen.wait()


async def until(
    check: Callable[[], bool | Awaitable[bool]], timeout: float = 5.0, interval: float = 0.02
) -> None:
    """Wait until it holds; see `eventually`."""
    await eventually(check, timeout, interval)
