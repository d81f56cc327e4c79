"""Mirrors that nobody needs any more are removed, and no others, whoever is at work with them."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.git.conftest import contents
from tests.git.origins import Origin
from worker.git import Mirrors
from worker.git.errors import RepositoryUnavailable
from worker.git.locks import try_lock

DAYS = 30


def age(home: Path, days: float) -> None:
    """As if nobody had used the mirror for so long."""
    then = home.stat().st_mtime - days * 86_400
    os.utime(home, (then, then))


def generations(home: Path) -> list[Path]:
    return list(home.glob("g-*"))


@pytest.fixture
async def commit(origin: Origin, mirrors: Mirrors) -> str:
    """A commit that the mirror `p` has."""
    commit = origin.commit({"a": b"1"})
    await mirrors.fetch("p", origin.url, commit)
    return commit


async def test_an_unused_mirror_is_removed_and_built_again_when_needed(
    origin: Origin, mirrors: Mirrors, root: Path, commit: str
) -> None:
    age(root / "p", 31)
    assert await mirrors.remove_unused(DAYS) == 1
    assert [path.name for path in (root / "p").iterdir()] == ["lock"]
    assert await mirrors.remove_unused(DAYS) == 0
    assert await contents(await mirrors.fetch("p", origin.url, commit)) == {"a": b"1"}


async def test_a_mirror_that_was_used_stays(mirrors: Mirrors, root: Path, commit: str) -> None:
    age(root / "p", 29)
    assert await mirrors.remove_unused(DAYS) == 0
    assert generations(root / "p")


async def test_asking_for_a_commit_that_is_there_is_a_use(
    origin: Origin, mirrors: Mirrors, root: Path, commit: str
) -> None:
    age(root / "p", 31)
    shutil.rmtree(origin.path)
    await mirrors.fetch("p", origin.url, commit)
    assert await mirrors.remove_unused(DAYS) == 0
    assert generations(root / "p")


async def test_only_the_unused_ones_go(
    origin: Origin, mirrors: Mirrors, root: Path, commit: str
) -> None:
    await mirrors.fetch("q", origin.url, commit)
    age(root / "p", 31)
    assert await mirrors.remove_unused(DAYS) == 1
    assert not generations(root / "p")
    assert generations(root / "q")


async def test_a_snapshot_stays_readable_and_its_files_go_later(
    origin: Origin, mirrors: Mirrors, root: Path, commit: str
) -> None:
    snapshot = await mirrors.fetch("p", origin.url, commit)
    age(root / "p", 31)
    assert await mirrors.remove_unused(DAYS) == 1
    assert await contents(snapshot) == {"a": b"1"}
    assert len(generations(root / "p")) == 1
    del snapshot
    age(root / "p", 31)
    assert await mirrors.remove_unused(DAYS) == 1
    assert not generations(root / "p")


async def test_a_mirror_that_another_process_fetches_into_stays(
    mirrors: Mirrors, root: Path, commit: str
) -> None:
    age(root / "p", 31)
    descriptor = os.open(root / "p" / "lock", os.O_RDWR)
    try:
        assert try_lock(descriptor, fcntl.LOCK_EX)
        assert await mirrors.remove_unused(DAYS) == 0
        assert generations(root / "p")
    finally:
        os.close(descriptor)
    assert await mirrors.remove_unused(DAYS) == 1


async def test_what_is_no_mirror_is_left_alone(mirrors: Mirrors, root: Path) -> None:
    assert await mirrors.remove_unused(DAYS) == 0
    (root / "lost+found").mkdir(parents=True)
    (root / "note.txt").write_text("mine")
    for path in (root / "lost+found", root / "note.txt"):
        age(path, 31)
    assert await mirrors.remove_unused(DAYS) == 0
    assert sorted(path.name for path in root.iterdir()) == ["lost+found", "note.txt"]


async def test_a_removed_mirror_says_so_to_those_who_cannot_fetch(
    origin: Origin, mirrors: Mirrors, root: Path, commit: str, generation: Callable[[], Path]
) -> None:
    """What was removed is not read from: the commit has to come from its origin again."""
    before = generation()
    age(root / "p", 31)
    await mirrors.remove_unused(DAYS)
    assert not before.exists()
    shutil.rmtree(origin.path)
    with pytest.raises(RepositoryUnavailable):
        await mirrors.fetch("p", origin.url, commit)
