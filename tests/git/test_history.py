"""Paths that ever were files: exact, also when asked again later or after a forced push."""

from pathlib import Path

import pytest

from tests.git.origins import Origin
from worker.git import Mirrors, Snapshot, path_cache
from worker.git.path_cache import PathCache


async def snapshot(mirrors: Mirrors, origin: Origin, commit: str) -> Snapshot:
    return await mirrors.fetch("p", origin.url, commit, ref="refs/heads/main")


async def test_paths_of_all_commits_so_far(mirrors: Mirrors, origin: Origin) -> None:
    first = origin.commit({"a.txt": b"1", "dir/b.txt": b"1"})
    second = origin.commit({"a.txt": None, "ümlaut \n.txt": b"2"}, onto=first)
    old = await snapshot(mirrors, origin, first)
    new = await snapshot(mirrors, origin, second)
    assert await old.paths_ever() == {"a.txt", "dir/b.txt"}
    assert await new.paths_ever() == {"a.txt", "dir/b.txt", "ümlaut \n.txt"}
    # An older commit again, after a newer one: nothing of the newer one is in it.
    assert await old.paths_ever() == {"a.txt", "dir/b.txt"}


async def test_a_forced_push_takes_paths_away(mirrors: Mirrors, origin: Origin) -> None:
    first = origin.commit({"a.txt": b"1"})
    second = origin.commit({"b.txt": b"1"}, onto=first)
    forced = origin.commit({"c.txt": b"1"}, onto=first)
    assert await (await snapshot(mirrors, origin, second)).paths_ever() == {"a.txt", "b.txt"}
    assert await (await snapshot(mirrors, origin, forced)).paths_ever() == {"a.txt", "c.txt"}


def test_memory_is_bounded_over_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_cache, "MOST_PATHS", 3)
    cache = PathCache()
    for number in range(3):
        cache.keep(Path(str(number)), "sha", {"a", "b"})
    assert [cache.last(Path(str(number))) for number in range(3)] == [
        None,
        None,
        ("sha", {"a", "b"}),
    ]
