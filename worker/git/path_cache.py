"""Paths that were asked for last, so that a push need not list or walk everything anew."""

from collections import OrderedDict
from collections.abc import Set
from pathlib import Path

MOST_PATHS = 300_000
"""So many are kept in memory over all mirrors, some hundred bytes each; one mirror always is."""


class PathCache:
    """For each mirror the paths of one object, a tree or a commit: of the latest."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, tuple[str, Set[str]]] = OrderedDict()

    def last(self, mirror: Path) -> tuple[str, Set[str]] | None:
        """Which object of this mirror was asked about last, and its paths."""
        return self._known.get(mirror)

    def keep(self, mirror: Path, sha: str, paths: Set[str]) -> None:
        """Remember the paths of an object in the place of the one before."""
        self._known[mirror] = (sha, paths)
        self._known.move_to_end(mirror)
        while len(self._known) > 1 and sum(len(p) for _, p in self._known.values()) > MOST_PATHS:
            self._known.popitem(last=False)
