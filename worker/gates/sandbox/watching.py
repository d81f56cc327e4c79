"""Watches a running tree: its group's events or, where there is none, its processes by number."""

import asyncio
from dataclasses import dataclass

from worker.gates.sandbox.cgroups import Group
from worker.gates.sandbox.disk import DiskWatch
from worker.gates.sandbox.limits import Limits, Over
from worker.gates.sandbox.processes import Processes

INTERVAL_SECONDS = 0.1
# One that was refused a process has ended again before it is counted.
NEARLY = 2
_COUNTED = ("RssAnon", "RssShmem")


@dataclass
class Watch:
    """`processes` are the run's, where it is isolated."""

    limits: Limits
    disk: DiskWatch
    group: Group | None
    processes: Processes | None
    _crowded: bool = False

    async def until_over(self) -> Over:
        """Return once a limit is met that the kernel does not end the tree for by itself."""
        while not (over := await self._look()):  # noqa: ASYNC110 - a watch is a poll
            await asyncio.sleep(INTERVAL_SECONDS)
        return over

    async def afterwards(self) -> Over | None:
        """What was met in the moments before the end, or did not end the tree."""
        if self.group and (over := self.group.met()):
            return over
        if self._crowded:
            return "processes"
        return "disk" if await self.disk.is_over(at_once=True) else None

    async def _look(self) -> Over | None:
        if await self.disk.is_over():
            return "disk"
        if self.group:
            # A tree that is refused another process may live on and say so itself.
            return "memory" if self.group.met() == "memory" else None
        return self._count(self.processes) if self.processes else None

    def _count(self, processes: Processes) -> Over | None:
        statuses = list(processes.statuses())
        threads = sum(_number(status, "Threads") for status in statuses)
        self._crowded = self._crowded or threads >= self.limits.processes - NEARLY
        held = sum(_kilobytes(status) for status in statuses) * 1024
        return "memory" if held > self.limits.memory_bytes else None


def _kilobytes(status: str) -> int:
    return sum(_number(status, name) for name in _COUNTED)


def _number(status: str, name: str) -> int:
    _, found, rest = status.partition(f"\n{name}:")
    return int(rest.split(None, 1)[0]) if found else 0
