"""Which paths have ever been files, in a commit and all that came before it."""

from collections import OrderedDict
from collections.abc import Set
from pathlib import Path

from worker.git.environment import git_environment, presentable
from worker.git.errors import MirrorBroken
from worker.git.process import run

MOST_PATHS = 300_000
"""So many are kept in memory over all mirrors, some hundred bytes each; one mirror always is."""


class History:
    """Asks git once a mirror, and from then on only for the commits that are new."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, tuple[str, Set[str]]] = OrderedDict()

    def last(self, mirror: Path) -> str | None:
        """The commit that this mirror was last asked about."""
        return self._known[mirror][0] if mirror in self._known else None

    async def paths(self, mirror: Path, commit: str, *, since: str | None = None) -> Set[str]:
        """Every path that was a file in `commit` or before it.

        `since` is the commit asked about last, if `commit` comes after it. Raises MirrorBroken.
        """
        last, paths = self._known.get(mirror, ("", frozenset[str]()))
        if last != commit:
            goes_on = bool(last) and last == since
            added = await _added(mirror, f"{last}..{commit}" if goes_on else commit)
            paths = paths | added if goes_on else added
        self._keep(mirror, commit, paths)
        return paths

    def _keep(self, mirror: Path, commit: str, paths: Set[str]) -> None:
        self._known[mirror] = (commit, paths)
        self._known.move_to_end(mirror)
        while len(self._known) > 1 and sum(len(p) for _, p in self._known.values()) > MOST_PATHS:
            self._known.popitem(last=False)


async def _added(mirror: Path, commits: str) -> set[str]:
    options = ("--format=", "--name-only", "--diff-filter=A", "--no-renames", "-z")
    done = await run("log", *options, commits, "--", environment=git_environment(mirror))
    if done.code:
        raise MirrorBroken(f"the history of {commits} cannot be read: {presentable(done.stderr)}")
    return {name.decode(errors="replace") for name in done.stdout.split(b"\0") if name}
