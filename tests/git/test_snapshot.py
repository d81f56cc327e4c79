"""Listing, comparing and reading commits."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.git.conftest import contents
from tests.git.origins import LINK, SUBMODULE, Files, Origin
from tests.git.processes import git_below
from tests.support import eventually
from worker.git import Blob, Entry, Mirrors, Refused, Snapshot


async def only_blob(snapshot: Snapshot, sha: str, limit: int = 2**20) -> Blob:
    [blob] = [blob async for blob in snapshot.read([sha], max_bytes_each=limit)]
    return blob


async def first_of(snapshot: Snapshot, shas: list[str]) -> Blob:
    return await anext(snapshot.read(shas, max_bytes_each=2**23))


async def test_entries_have_mode_size_and_sha(origin: Origin, mirrors: Mirrors) -> None:
    commit = origin.commit({"run": ("100755", b"#!"), "a b\n\t\"'ü.md": b"12345"})
    snapshot = await mirrors.fetch("p", origin.url, commit)
    assert sorted(await snapshot.entries(), key=lambda entry: entry.path) == [
        Entry("a b\n\t\"'ü.md", "100644", origin.git("hash-object", "--stdin", data=b"12345"), 5),
        Entry("run", "100755", origin.blob(commit, "run"), 2),
    ]


async def test_links_are_listed_and_submodules_are_not(origin: Origin, mirrors: Mirrors) -> None:
    before = origin.commit({"link": (LINK, b"/etc/passwd"), "sub": (SUBMODULE, b"a" * 40)})
    old = await mirrors.fetch("p", origin.url, before)
    assert [(e.path, e.mode) for e in await old.entries()] == [("link", LINK)]
    assert (await only_blob(old, (await old.entries())[0].sha)).data == b"/etc/passwd"

    after = origin.commit({"link": (SUBMODULE, b"b" * 40), "sub": b"file"}, onto=before)
    new = await mirrors.fetch("p", origin.url, after)
    changes = await new.changes(old.tree)
    assert changes is not None
    assert [(c.path, c.mode) for c in changes] == [("link", None), ("sub", "100644")]
    moved = origin.commit({"sub": (SUBMODULE, b"c" * 40), "link": (SUBMODULE, b"d" * 40)})
    next_one = await mirrors.fetch("p", origin.url, moved)
    assert [c.path for c in await next_one.changes(new.tree) or []] == ["sub"]


async def test_paths_that_are_not_utf8_are_left_out(origin: Origin, mirrors: Mirrors) -> None:
    first = origin.commit({b"caf\xe9.md": b"1", b"\xed\xa0\x80": b"2", "caf\\xe9.md": b"3"})
    old = await mirrors.fetch("p", origin.url, first)
    assert [entry.path for entry in await old.entries()] == ["caf\\xe9.md"]
    second = origin.commit({b"caf\xe9.md": b"4", b"\xed\xa0\x80": None, "x": b""}, onto=first)
    new = await mirrors.fetch("p", origin.url, second)
    assert [change.path for change in await new.changes(old.tree) or []] == ["x"]


@pytest.mark.parametrize("part", [b"..", b".", b".git", b".GIT"])
async def test_paths_that_could_escape_are_left_out(
    origin: Origin, mirrors: Mirrors, part: bytes
) -> None:
    blob = origin.git("hash-object", "-w", "--stdin", data=b"evil")
    raw = b"100644 ok\0" + bytes.fromhex(blob)
    inner = origin.git("hash-object", "-w", "--literally", "-t", "tree", "--stdin", data=raw)
    outer = b"40000 %b\0%b" % (part, bytes.fromhex(inner)) + raw
    tree = origin.git("hash-object", "-w", "--literally", "-t", "tree", "--stdin", data=outer)
    text = f"tree {tree}\nauthor T <t@e> 1 +0000\ncommitter T <t@e> 1 +0000\n\nx\n".encode()
    commit = origin.git("hash-object", "-w", "--literally", "-t", "commit", "--stdin", data=text)
    origin.git("update-ref", "refs/heads/main", commit)
    snapshot = await mirrors.fetch("p", origin.url, commit)
    assert [entry.path for entry in await snapshot.entries()] == ["ok"]


async def test_changes_from_an_unknown_tree(origin: Origin, mirrors: Mirrors) -> None:
    snapshot = await mirrors.fetch("p", origin.url, origin.commit({"a": b"1"}))
    assert await snapshot.changes("ab" * 20) is None
    assert await snapshot.changes(snapshot.commit) is None
    assert await snapshot.changes((await snapshot.entries())[0].sha) is None
    assert await snapshot.changes(snapshot.tree) == []
    with pytest.raises(Refused):
        await snapshot.changes("HEAD")


@pytest.mark.parametrize("seed", range(4))
async def test_changes_turn_one_listing_into_the_next(
    origin: Origin, mirrors: Mirrors, seed: int
) -> None:
    chance = random.Random(seed)
    commits: list[str] = []
    listing: dict[str, tuple[str, str]] = {}
    old_tree = ""
    for step in range(6):
        names = chance.sample(["a", "a/b", "b/c", "b/d", "e", "f", "g/h/i"], 3)
        files: Files = {
            name: chance.choice([b"1", b"%d" % step, (LINK, b"1"), (SUBMODULE, b"a" * 40), None])
            for name in names
            if not any(other != name and other.startswith(f"{name}/") for other in names)
        }
        onto = chance.choice([None, *commits])
        commits.append(origin.commit(files, onto=onto))
        snapshot = await mirrors.fetch("p", origin.url, commits[-1])
        full = {entry.path: (entry.sha, entry.mode) for entry in await snapshot.entries()}
        changes = await snapshot.changes(old_tree or snapshot.tree)
        for change in changes or []:
            listing.pop(change.path, None)
            if change.sha and change.mode:
                listing[change.path] = (change.sha, change.mode)
        assert listing == full or not old_tree
        listing, old_tree = full, snapshot.tree


async def test_a_blob_over_the_limit_is_not_read(origin: Origin, mirrors: Mirrors) -> None:
    commit = origin.commit({"big": b"x" * 101, "fits": b"y" * 100})
    snapshot = await mirrors.fetch("p", origin.url, commit)
    big, fits = origin.blob(commit, "big"), origin.blob(commit, "fits")
    blobs = [blob async for blob in snapshot.read([big, fits, big], max_bytes_each=100)]
    assert blobs == [Blob(big, None, 101), Blob(fits, b"y" * 100, 100), Blob(big, None, 101)]


async def test_missing_blobs_and_trees_have_no_data(origin: Origin, mirrors: Mirrors) -> None:
    snapshot = await mirrors.fetch("p", origin.url, origin.commit({"a": b"1"}))
    for sha in ("ab" * 20, snapshot.tree, snapshot.commit):
        assert await only_blob(snapshot, sha) == Blob(sha, None, None)


@pytest.mark.parametrize("sha", ["HEAD", "a" * 40 + "\ncontents HEAD", ""])
async def test_only_object_ids_reach_the_reader(origin: Origin, mirrors: Mirrors, sha: str) -> None:
    snapshot = await mirrors.fetch("p", origin.url, origin.commit({"a": b"1"}))
    with pytest.raises(Refused):
        await only_blob(snapshot, sha)


async def test_many_and_large_blobs(origin: Origin, mirrors: Mirrors) -> None:
    files: Files = {
        f"{number}": os.urandom(5_000_000 if number % 300 == 0 else number) for number in range(700)
    }
    snapshot = await mirrors.fetch("p", origin.url, origin.commit(files))
    entries = await snapshot.entries()
    shas = [entry.sha for entry in entries]
    blobs = [blob async for blob in snapshot.read(shas, max_bytes_each=2**23)]
    assert [blob.data for blob in blobs] == [files[entry.path] for entry in entries]


async def test_reading_may_stop_early_and_be_cancelled(origin: Origin, mirrors: Mirrors) -> None:
    commit = origin.commit({f"{number}": b"%d" % number * 50_000 for number in range(300)})
    snapshot = await mirrors.fetch("p", origin.url, commit)
    shas = [entry.sha for entry in await snapshot.entries()]
    async for _ in snapshot.read(shas, max_bytes_each=2**23):
        break
    for turns in range(0, 12, 3):
        reading = asyncio.create_task(first_of(snapshot, shas))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert (await only_blob(snapshot, origin.blob(commit, "7"))).data == b"7" * 50_000


async def test_many_readers_at_once_get_their_own_answers(origin: Origin, mirrors: Mirrors) -> None:
    commit = origin.commit({f"{number}": b"%d" % number for number in range(50)})
    snapshot = await mirrors.fetch("p", origin.url, commit)
    entries = await snapshot.entries()
    blobs = await asyncio.gather(*(only_blob(snapshot, entry.sha) for entry in entries))
    assert [blob.data for blob in blobs] == [entry.path.encode() for entry in entries]


async def test_a_reader_that_died_is_replaced(origin: Origin, mirrors: Mirrors, root: Path) -> None:
    commit = origin.commit({"a": b"1"})
    snapshot = await mirrors.fetch("p", origin.url, commit)
    await snapshot.changes(snapshot.tree)
    killed = git_below(root)
    assert len(killed) == 2
    for child in killed:
        child.send_signal(signal.SIGKILL)
    assert await contents(snapshot) == {"a": b"1"}
    assert await snapshot.changes(snapshot.tree) == []


async def test_readers_are_bounded_and_end_with_close(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a": b"1"})
    mirrors = Mirrors(tmp_path / "few", protocols=("file",), max_readers=3)
    snapshots = [await mirrors.fetch(f"p{number}", origin.url, commit) for number in range(6)]
    await eventually(lambda: len(git_below(tmp_path)) == 3)
    assert [await contents(snapshot) for snapshot in snapshots] == [{"a": b"1"}] * 6
    await eventually(lambda: len(git_below(tmp_path)) == 3)
    await mirrors.close()
    assert git_below(tmp_path) == []


async def test_the_newest_common_ancestor_tells_which_commit_came_first(
    origin: Origin, mirrors: Mirrors
) -> None:
    first = origin.commit({"a": b"1"})
    second = origin.commit({"a": b"2"}, onto=first)
    third = origin.commit({"a": b"3"}, onto=second)
    aside = origin.commit({"a": b"4"}, branch="aside", onto=second)
    apart = origin.commit({"a": b"5"}, branch="apart")
    for commit in (third, aside, apart):
        snapshot = await mirrors.fetch("p", origin.url, commit)
    for one, other, shared in (
        (third, first, first),
        (first, third, first),
        (third, third, third),
        (third, aside, second),
        (third, apart, None),
        (third, "1" * 40, None),
    ):
        snapshot = await mirrors.fetch("p", origin.url, one)
        assert await snapshot.common_ancestor(other) == shared
    with pytest.raises(Refused):
        await snapshot.common_ancestor("--help")


async def test_paths_of_a_tree_listed_anew_and_from_what_differs(
    mirrors: Mirrors, origin: Origin
) -> None:
    first = origin.commit({"a.txt": b"1", "dir/b.txt": b"1", "dir/c.txt": b"1"})
    second = origin.commit({"a.txt": b"2", "dir": b"now a file", "é.txt": b""}, onto=first)
    for commit in (first, second, first, second):
        snapshot = await mirrors.fetch("p", origin.url, commit)
        assert await snapshot.paths() == {entry.path for entry in await snapshot.entries()}
    fresh = await mirrors.fetch("p", origin.url, second)
    assert await fresh.paths() is await fresh.paths()


async def test_texts_of_files_by_path(mirrors: Mirrors, origin: Origin) -> None:
    files = {"a b.txt": "ü\n".encode(), "dir/.gitignore": b"x\n", "large": b"y" * 50}
    commit = origin.commit(dict(files))
    snapshot = await mirrors.fetch("p", origin.url, commit)
    asked = ["a b.txt", "dir/.gitignore", "large", "gone", "dir", "new\nline"]
    found = await snapshot.texts(asked, max_bytes_each=20)
    assert found == {"a b.txt": "ü\n", "dir/.gitignore": "x\n"}
    assert await snapshot.texts([], max_bytes_each=20) == {}
