"""The sandbox: one call runs one command and leaves nothing of it behind."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from worker.gates.errors import SandboxUnavailable
from worker.gates.removal import remove
from worker.gates.sandbox import bubblewrap, cgroups, proxy
from worker.gates.sandbox import environment as variables
from worker.gates.sandbox.cgroups import Group, Hierarchy
from worker.gates.sandbox.disk import DiskWatch
from worker.gates.sandbox.egress import WEB, Egress
from worker.gates.sandbox.launching import Launched, complaint, launch, launch_bare
from worker.gates.sandbox.limits import MEBIBYTE, Limits, Ran, per_process
from worker.gates.sandbox.mounts import SHARED_MEMORY_BYTES, TREE, View, outermost
from worker.gates.sandbox.namespaces import listen_inside
from worker.gates.sandbox.orphans import end_orphans
from worker.gates.sandbox.processes import Processes
from worker.gates.sandbox.room import hand_over, make_room
from worker.gates.sandbox.supervising import supervise
from worker.gates.sandbox.watching import Watch

TRIAL_LIMITS = Limits(seconds=20.0, memory_bytes=256 * MEBIBYTE, processes=32)
_ALLOWING = (
    "allow user namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone, on Ubuntu "
    "an AppArmor profile for bwrap, in a container its seccomp profile)"
)


@dataclass(frozen=True)
class Job:
    """One command, as `Sandbox.run` takes it."""

    argv: tuple[str, ...]
    tree: Path
    directory: str
    environment: Mapping[str, str]
    network: bool
    limits: Limits
    readable: tuple[Path, ...]
    stdout: Path | None


@dataclass(frozen=True)
class Sandbox:
    """Proven to work here: made by `probe`. `bwrap` is None in the unsafe one."""

    bwrap: Path | None
    readable: tuple[Path, ...] = ()
    egress: Egress = WEB
    groups: Hierarchy | None = None

    @classmethod
    async def probe(
        cls,
        *,
        readable: Sequence[Path] = (),
        egress: Egress = WEB,
        unsafe: bool = False,
        use_groups: bool = True,
    ) -> "Sandbox":
        """A sandbox that has just run `true`, or has before. Raises SandboxUnavailable.

        `readable` are directories, such as those of toolchains, that every command may read;
        programs in their `bin` are found first. `unsafe` asks for no isolation at all: for
        development only, and marked so on every run.
        """
        groups = await asyncio.to_thread(_clean_up_and_find, use_groups)
        sandbox = cls(None if unsafe else bubblewrap.find(), tuple(readable), egress, groups)
        if sandbox not in _proven:
            await sandbox._try_out()
            _proven.add(sandbox)
        return sandbox

    async def run(
        self,
        argv: Sequence[str],
        *,
        tree: Path,
        directory: str = "",
        environment: Mapping[str, str],
        network: bool,
        limits: Limits,
        readable: Sequence[Path] = (),
        stdout: Path | None = None,
    ) -> Ran:
        """Run a command in `directory` of a tree, to its end or to the first limit that it meets.

        It can write to `tree`, its home and /tmp, and sees of the rest the system and what is
        `readable`. Its environment is `environment` over a few constants. A network is HTTP and
        HTTPS through a proxy (see `egress`), and nothing else. `stdout`, a file outside the
        tree, is given all of the standard output. A command that cannot be found exits with 127.
        Raises SandboxUnavailable; then nothing was run.
        """
        job = Job(
            tuple(argv), tree.absolute(), directory, environment, network, limits,  # noqa: ASYNC240
            tuple(readable), stdout,
        )  # fmt: skip
        _check(job)
        await asyncio.to_thread(hand_over, job.tree)
        room = await asyncio.to_thread(make_room, job.tree)
        try:
            return await self._run(job, room)
        finally:
            await asyncio.shield(asyncio.to_thread(remove, room))

    @property
    def description(self) -> Mapping[str, str]:
        """How commands are held here, for people."""
        return {
            "sandbox": "none (unsafe)" if self.bwrap is None else "bubblewrap",
            "limits": f"cgroup v{self.groups.version}" if self.groups else "rlimits and a watch",
        }

    @property
    def path(self) -> str:
        """PATH as commands have it, unless they are given another."""
        return variables.path(self.readable, bare=self.bwrap is None)

    def seen(self, tree: Path) -> PurePosixPath:
        """Where commands find their tree."""
        return PurePosixPath(tree) if self.bwrap is None else TREE

    async def _try_out(self) -> None:
        with tempfile.TemporaryDirectory(prefix="switchyard-probe-") as directory:
            tree = Path(tempfile.mkdtemp(dir=directory))
            ran = await self.run(
                ["true"], tree=tree, environment={}, network=False, limits=TRIAL_LIMITS
            )
        if ran.exit_code != 0:
            said = ran.output.decode(errors="replace").strip()
            raise SandboxUnavailable(f"a trial run failed here ({said[:500]}): {_ALLOWING}")

    async def _run(self, job: Job, room: Path) -> Ran:
        async with AsyncExitStack() as stack:
            group = self._group(job.limits, stack)
            launched = await self._launch(job, room)
            stack.push_async_callback(launched.end)
            await self._hold(launched, group, job, stack)
            watch = _watch(job, room, launched, group)
            told = {**self.description, "network": _network(job, self.bwrap)}
            return await supervise(launched, watch, job.stdout, self.seen(job.tree), told)

    def _group(self, limits: Limits, stack: AsyncExitStack) -> Group | None:
        if self.groups is None:
            return None
        try:
            group = cgroups.create(self.groups, limits)
        except OSError as error:
            raise SandboxUnavailable(f"limits cannot be set on this machine: {error}") from error
        stack.push_async_callback(group.remove)
        return group

    async def _launch(self, job: Job, room: Path) -> Launched:
        tools = (*job.readable, *self.readable)
        apart, isolated = job.stdout is not None, self.bwrap is not None
        held = per_process(job.limits, isolated=isolated, grouped=self.groups is not None)
        argv = (*held, *job.argv)
        if self.bwrap is None:
            given = variables.bare(tools, job.environment, room)
            return await launch_bare(argv, job.tree / job.directory, given, apart=apart)
        view = View(
            job.tree, room, outermost(tools),
            min(SHARED_MEMORY_BYTES, job.limits.memory_bytes // 4),
        )  # fmt: skip
        return await launch(
            self.bwrap, view, argv,
            directory=job.directory,
            environment=variables.isolated(tools, job.environment, network=job.network),
            apart=apart,
        )  # fmt: skip

    async def _hold(
        self, launched: Launched, group: Group | None, job: Job, stack: AsyncExitStack
    ) -> None:
        try:
            launched.yield_to_others()
            if group:
                group.add(launched.pid)
        except OSError as error:
            await launched.end()
            raise SandboxUnavailable(f"{await complaint(launched.tree)}: {error}") from error
        if job.network and self.bwrap:
            listener = await listen_inside(launched.pid, proxy.PORT)
            await stack.enter_async_context(proxy.serving(listener, self.egress))


_proven: set[Sandbox] = set()


def _clean_up_and_find(use_groups: bool) -> Hierarchy | None:
    end_orphans()
    groups = cgroups.find() if use_groups else None
    if groups:
        cgroups.sweep(groups)
    return groups


def _check(job: Job) -> None:
    if not job.tree.is_dir():
        raise FileNotFoundError(f"{job.tree} is not a directory")
    inside = PurePosixPath(job.directory)
    if inside.is_absolute() or ".." in inside.parts:
        raise ValueError(f"{job.directory!r} is not a directory of the tree")
    if not job.argv or any("\0" in text for text in (*job.argv, *job.environment.values())):
        raise ValueError("a command needs a program, and cannot hold NUL characters")


def _watch(job: Job, room: Path, launched: Launched, group: Group | None) -> Watch:
    processes = Processes(launched.pid) if launched.isolated else None
    disk = DiskWatch((job.tree, room), job.limits.disk_bytes, processes)
    return Watch(job.limits, disk, group, processes)


def _network(job: Job, bwrap: Path | None) -> str:
    if bwrap is None:
        return "the whole machine's"
    return "web, through a proxy" if job.network else "none"
