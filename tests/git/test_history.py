"""Paths that ever were files: exact, also when asked again later or after a forced push."""

from pathlib import Path

import pytest

from tests.git.origins import Origin
from worker.git import Mirrors, Snapshot
from worker.git import history as history_module
from worker.git.history import History


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


async def test_only_new_commits_are_read_again(tmp_path: Path) -> None:
    """The old commit's path is not in the answer for a range that leaves it out."""
    origin = Origin(tmp_path / "o")
    first = origin.commit({"a.txt": b"1"})
    second = origin.commit({"b.txt": b"1"}, onto=first)
    history = History()
    assert await history.paths(origin.path, first) == {"a.txt"}
    assert history.last(origin.path) == first
    history._known[origin.path] = (first, {"remembered.txt"})
    assert await history.paths(origin.path, second, since=first) == {"remembered.txt", "b.txt"}


async def test_memory_is_bounded_over_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MOST_PATHS", 2)
    history = History()
    origins = [Origin(tmp_path / str(number)) for number in range(3)]
    for origin in origins:
        await history.paths(origin.path, origin.commit({"a": b"1", "b": b"2"}))
    assert [history.last(o.path) is not None for o in origins] == [False, False, True]
