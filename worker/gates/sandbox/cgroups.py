"""Control groups: the kernel's own limits for a whole tree, where this process may set them."""

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from worker.gates.sandbox.limits import Limits, Over

ROOT = Path("/sys/fs/cgroup")
PREFIX = "switchyard-gate-"
REMOVAL_SECONDS = 2.0
PAUSE_SECONDS = 0.005


@dataclass(frozen=True)
class Hierarchy:
    """Where groups of our own can be made; version 2 has one place for both controllers."""

    version: int
    memory: Path
    pids: Path

    @property
    def places(self) -> frozenset[Path]:
        """The distinct directories."""
        return frozenset((self.memory, self.pids))


@dataclass(frozen=True)
class Group:
    """The group of one run."""

    hierarchy: Hierarchy
    name: str

    @property
    def _directories(self) -> set[Path]:
        return {self._memory, self._pids}

    @property
    def _memory(self) -> Path:
        return self.hierarchy.memory / self.name

    @property
    def _pids(self) -> Path:
        return self.hierarchy.pids / self.name

    def set_up(self, limits: Limits) -> None:
        """Make the directories and write the limits."""
        for directory in self._directories:
            directory.mkdir()
        hard = "memory.max" if self.hierarchy.version == 2 else "memory.limit_in_bytes"
        (self._memory / hard).write_text(str(limits.memory_bytes))
        (self._pids / "pids.max").write_text(str(limits.processes))
        _write_if_there(self._memory / "memory.swap.max", "0")
        _write_if_there(self._memory / "memory.memsw.limit_in_bytes", str(limits.memory_bytes))
        _write_if_there(self._memory / "memory.oom.group", "1")

    def add(self, pid: int) -> None:
        """Put a process in; what it starts from then on is in as well."""
        for directory in self._directories:
            (directory / "cgroup.procs").write_text(str(pid))

    def met(self) -> Over | None:
        """The limit that the tree has run into, if any."""
        events = "memory.events" if self.hierarchy.version == 2 else "memory.oom_control"
        if _count(self._memory / events, "oom_kill"):
            return "memory"
        return "processes" if _count(self._pids / "pids.events", "max") else None

    async def remove(self) -> None:
        """Give the group back once its last process is gone."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while not self.removed() and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(PAUSE_SECONDS)

    def removed(self) -> bool:
        """Try once to give it back; whether it is gone."""
        for directory in self._directories:
            with suppress(OSError):
                directory.rmdir()
        return not any(directory.exists() for directory in self._directories)


def create(hierarchy: Hierarchy, limits: Limits) -> Group:
    """A new group with these limits. Raises OSError where the kernel refuses."""
    group = Group(hierarchy, f"{PREFIX}{os.getpid()}-{uuid4().hex[:12]}")
    try:
        group.set_up(limits)
    except OSError:
        group.removed()
        raise
    return group


def find() -> Hierarchy | None:
    """Where limits can be set from here: below our own group, so that limits on us still hold."""
    own = _own_groups()
    return _version_1(own) or _version_2(own)


def sweep(hierarchy: Hierarchy) -> None:
    """Remove empty groups that processes which are gone have left behind."""
    for place in hierarchy.places:
        for directory in place.glob(f"{PREFIX}*"):
            owner = directory.name.removeprefix(PREFIX).partition("-")[0]
            if not Path("/proc", owner).exists():
                with suppress(OSError):
                    directory.rmdir()


def _own_groups() -> dict[str, Path]:
    """Controller (empty for version 2) → path of our group."""
    own: dict[str, Path] = {}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                own[controller] = Path(path.lstrip("/"))
    return own


def _version_1(own: dict[str, Path]) -> Hierarchy | None:
    if "memory" not in own or "pids" not in own:
        return None
    return _if_usable(Hierarchy(1, ROOT / "memory" / own["memory"], ROOT / "pids" / own["pids"]))


def _version_2(own: dict[str, Path]) -> Hierarchy | None:
    # A service manager puts a delegated process in a leaf: its parent is where siblings may go.
    if "" not in own:
        return None
    for place in (ROOT / own[""], (ROOT / own[""]).parent):
        with suppress(OSError):
            (place / "cgroup.subtree_control").write_text("+memory +pids")
        if place.is_relative_to(ROOT) and (found := _if_usable(Hierarchy(2, place, place))):
            return found
    return None


def _if_usable(hierarchy: Hierarchy) -> Hierarchy | None:
    try:
        group = create(hierarchy, Limits())
    except OSError:
        return None
    return hierarchy if group.removed() else None


def _count(file: Path, name: str) -> int:
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0


def _write_if_there(file: Path, value: str) -> None:
    if file.exists():
        with suppress(OSError):
            file.write_text(value)
