"""Broken mirrors are found out and built again; readers do not notice."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.git.conftest import contents
from tests.git.origins import Origin
from worker.git import MirrorBroken, Mirrors, NetworkTrouble, Snapshot
from worker.git.fetching import MANY_PACKS

Generation = Callable[[], Path]


def lose_head(repository: Path) -> None:
    (repository / "HEAD").unlink()


def truncate_indexes(repository: Path) -> None:
    for path in repository.glob("objects/pack/*.idx"):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:100])


def lose_packs(repository: Path) -> None:
    shutil.rmtree(repository / "objects")


def empty(repository: Path) -> None:
    shutil.rmtree(repository)
    repository.mkdir()


def remove(repository: Path) -> None:
    shutil.rmtree(repository)


def garble_refs(repository: Path) -> None:
    for path in repository.glob("refs/pins/*"):
        path.write_text("garbage\n")


def garble_config(repository: Path) -> None:
    (repository / "config").write_text("[core\n")


@pytest.mark.parametrize(
    "damage",
    [lose_head, truncate_indexes, lose_packs, empty, remove, garble_refs, garble_config],
)
async def test_a_damaged_mirror_is_rebuilt(
    origin: Origin, mirrors: Mirrors, root: Path, damage: Callable[[Path], None]
) -> None:
    first = origin.commit({"a": b"1"})
    await mirrors.fetch("p", origin.url, first)
    await mirrors.close()
    damage((root / "p" / "current").resolve())
    second = origin.commit({"a": b"2"}, onto=first)
    snapshot = await mirrors.fetch("p", origin.url, second)
    assert await contents(snapshot) == {"a": b"2"}
    assert await contents(await mirrors.fetch("p", origin.url, first)) == {"a": b"1"}


async def test_a_corrupt_pack_is_found_when_read_and_rebuilt_by_the_next_fetch(
    origin: Origin, mirrors: Mirrors, generation: Generation
) -> None:
    commit = origin.commit({"a": bytes(range(256)) * 100})
    snapshot = await mirrors.fetch("p", origin.url, commit)
    [entry] = await snapshot.entries()
    await mirrors.close()
    [pack] = generation().glob("objects/pack/*.pack")
    pack.chmod(0o600)
    offset = offset_in(pack, entry.sha)
    data = bytearray(pack.read_bytes())
    data[offset + 10 : offset + 40] = bytes(30)
    pack.write_bytes(data)
    snapshot = await mirrors.fetch("p", origin.url, commit)
    with pytest.raises(MirrorBroken):
        [blob async for blob in snapshot.read([entry.sha], max_bytes_each=2**20)]
    assert await contents(await mirrors.fetch("p", origin.url, commit)) == {
        "a": bytes(range(256)) * 100
    }


def offset_in(pack: Path, sha: str) -> int:
    """Where an object starts in a pack."""
    index = pack.with_suffix(".idx").read_bytes()
    listing = subprocess.run(
        ["git", "show-index"], input=index, capture_output=True, check=True
    ).stdout.decode()
    return next(int(line.split()[0]) for line in listing.splitlines() if sha in line)


async def test_a_commit_without_its_tree_is_fetched_again(
    origin: Origin, mirrors: Mirrors, generation: Generation
) -> None:
    commit = origin.commit({"a": b"1"})
    await mirrors.fetch("p", origin.url, commit)
    await mirrors.close()
    shutil.rmtree(generation() / "objects/pack")
    text = origin.git("cat-file", "commit", commit).encode()
    write = ("hash-object", "-w", "-t", "commit", "--stdin")
    assert origin.git("--git-dir", str(generation()), *write, data=text) == commit
    assert await contents(await mirrors.fetch("p", origin.url, commit)) == {"a": b"1"}


async def test_what_a_killed_fetch_left_is_cleared(
    origin: Origin, mirrors: Mirrors, generation: Generation
) -> None:
    first = origin.commit({"a": b"1"})
    await mirrors.fetch("p", origin.url, first, ref="refs/heads/main")
    repository = generation()
    [pin] = repository.glob("refs/pins/*")
    left = [
        pin.with_name(f"{pin.name}.lock"),
        repository / "packed-refs.lock",
        repository / "config.lock",
        repository / "objects/pack/tmp_pack_AbCdEf",
        repository / "objects/pack/.tmp-1-pack-x.pack",
    ]
    for path in left:
        path.write_bytes(b"")
    second = origin.commit({"a": b"2"}, onto=first)
    snapshot = await mirrors.fetch("p", origin.url, second, ref="refs/heads/main")
    assert await contents(snapshot) == {"a": b"2"}
    assert generation() == repository, "nothing was broken"
    assert [path for path in left if path.exists()] == []


async def test_a_half_built_mirror_is_neither_seen_nor_kept(
    origin: Origin, mirrors: Mirrors, root: Path
) -> None:
    (root / "p" / "g-half").mkdir(parents=True)
    (root / "p" / "current.new").symlink_to("g-half")
    await mirrors.fetch("p", origin.url, origin.commit({"a": b"1"}))
    assert len(list((root / "p").glob("g-*"))) == 1
    assert not (root / "p" / "g-half").exists()


async def test_a_failed_first_fetch_leaves_nothing(
    origin: Origin, mirrors: Mirrors, root: Path
) -> None:
    with pytest.raises(NetworkTrouble):
        await mirrors.fetch("p", "http://127.0.0.1:9/repo", origin.commit({"a": b"1"}))
    assert [path.name for path in (root / "p").iterdir()] == ["lock"]


async def test_a_rebuild_does_not_disturb_a_reader(
    origin: Origin, mirrors: Mirrors, root: Path, generation: Generation
) -> None:
    first = origin.commit({f"{number}": b"%d" % number for number in range(600)})
    held = await mirrors.fetch("p", origin.url, first)
    blobs = held.read([e.sha for e in await held.entries()], max_bytes_each=100)
    read = [await anext(blobs)]
    before = generation()
    (root / "p" / "current").unlink()
    other = origin.commit({"other": b"history"})
    origin.forget_unreachable()
    await mirrors.fetch("p", origin.url, other)
    assert generation() != before
    read += [blob async for blob in blobs]
    assert len(read) == 600
    assert all(blob.data is not None for blob in read)
    assert len(await contents(held)) == 600

    del held, blobs
    await mirrors.fetch("p", origin.url, origin.commit({"more": b"1"}, onto=other))
    assert not before.exists()


async def test_fetches_of_many_commits_at_once_while_reading(
    origin: Origin, mirrors: Mirrors
) -> None:
    commits = [origin.commit({"a": b"0"})]
    for number in range(1, 6):
        commits.append(origin.commit({"a": b"%d" % number}, onto=commits[-1]))

    async def fetch(commit: str) -> Snapshot:
        return await mirrors.fetch("p", origin.url, commit)

    snapshots = await asyncio.gather(*(fetch(commit) for commit in commits))
    read = await asyncio.gather(*(contents(snapshot) for snapshot in snapshots))
    assert read == [{"a": b"%d" % number} for number in range(6)]


async def test_many_packs_are_merged_and_nothing_is_lost(
    origin: Origin, mirrors: Mirrors, generation: Generation
) -> None:
    first = origin.commit({"a": b"first"})
    snapshot = await mirrors.fetch("p", origin.url, first)
    for number in range(MANY_PACKS):
        blob = origin.git("hash-object", "-w", "--stdin", data=b"%d" % number)
        target = str(generation() / "objects/pack/pack")
        origin.git("pack-objects", "-q", target, data=blob.encode())
    rewritten = origin.commit({"a": b"rewritten"})
    origin.forget_unreachable()
    await mirrors.fetch("p", origin.url, rewritten, ref="refs/heads/main")
    assert len(list(generation().glob("objects/pack/*.pack"))) < 10
    again = await mirrors.fetch("p", origin.url, first)
    for reader in (snapshot, again):
        assert await contents(reader) == {"a": b"first"}
    [found] = [b async for b in again.read([blob], max_bytes_each=9)]
    assert found.data == b"%d" % number
