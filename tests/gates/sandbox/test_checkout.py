"""A commit laid out on the disk is that commit, runs nothing, and is gone afterwards."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.git.origins import LINK, SUBMODULE, Files, Origin
from worker.gates.checkout import CheckoutLimits, scratch_tree
from worker.gates.errors import CheckoutRefused
from worker.gates.scratch import sweep
from worker.git import Mirrors, Snapshot

HONEST: Files = {
    "README.md": b"line\r\nline\n",
    ".gitattributes": b"* text eol=lf ident\n*.bin filter=lfs\nREADME.md filter=run\n"
    b"secret export-ignore\n",
    "secret": b"$Id$",
    "big.bin": b"version https://git-lfs.github.com/spec/v1\n",
    "bin/tool": ("100755", b"#!/bin/sh\n"),
    "link": (LINK, b"../../outside"),
    "deep/er/link": (LINK, b"/etc/passwd"),
    "vendor/module": (SUBMODULE, b"1" * 40),
    "-rf": b"kept",
    "na me/é": b"x",
}
# Filters and hooks that a careless checkout would run.
TRAPS = ("filter.run.smudge", "filter.lfs.smudge", "filter.lfs.process")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


@pytest.fixture
async def mirrors(tmp_path: Path) -> AsyncIterator[Mirrors]:
    mirrors = Mirrors(tmp_path / "mirrors", protocols=("file",), fetch_timeout=20)
    yield mirrors
    await mirrors.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "scratches"


async def fetch(mirrors: Mirrors, origin: Origin, files: Files) -> Snapshot:
    return await mirrors.fetch("p", origin.url, origin.commit(files))


def listing(tree: Path) -> dict[str, bytes]:
    """Every file and link below, by path; a link as its target."""
    return {
        str(path.relative_to(tree)): os.fsencode(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in tree.rglob("*")
        if path.is_symlink() or path.is_file()
    }


async def test_the_tree_is_the_commit(origin: Origin, mirrors: Mirrors, root: Path) -> None:
    snapshot = await fetch(mirrors, origin, HONEST)
    expected = {
        path: content[1] if isinstance(content, tuple) else content
        for path, content in HONEST.items()
        if path != "vendor/module"
    }
    async with scratch_tree(snapshot, root) as tree:
        assert listing(tree) == expected
        assert os.access(tree / "bin/tool", os.X_OK)
        assert not os.access(tree / "README.md", os.X_OK)
        assert not (tree / "vendor").exists()
        assert tree.parent.stat().st_mode & 0o077 == 0
    assert list(root.iterdir()) == []


async def test_nothing_is_run(
    origin: Origin, mirrors: Mirrors, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    trap = home / "hooks" / "post-checkout"
    trap.write_text(f"#!/bin/sh\ntouch {home}/sprung\n")
    trap.chmod(0o755)
    sections = [
        f'[filter "{name.split(".")[1]}"]\n\t{name.split(".")[2]} = {trap}\n' for name in TRAPS
    ]
    (home / ".gitconfig").write_text("".join(sections) + f"[core]\n\thooksPath = {home}/hooks\n")
    monkeypatch.setenv("HOME", str(home))
    snapshot = await fetch(mirrors, origin, HONEST)
    async with scratch_tree(snapshot, root) as tree:
        assert (tree / "README.md").read_bytes() == HONEST["README.md"]
    assert not (home / "sprung").exists()


async def test_links_are_not_written_through(
    origin: Origin, mirrors: Mirrors, root: Path, tmp_path: Path
) -> None:
    """A tree that no client makes: a link, and files below a directory of the same name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    blob = origin.git("hash-object", "-w", "--stdin", data=b"planted")
    target = origin.git("hash-object", "-w", "--stdin", data=os.fsencode(outside))
    inner = origin.git("mktree", data=f"100644 blob {blob}\tplanted\n".encode())
    for order in (f"{LINK} blob {target}\ta\n040000 tree {inner}\ta\n",
                  f"040000 tree {inner}\ta\n{LINK} blob {target}\ta\n"):  # fmt: skip
        tree_id = origin.git("mktree", data=order.encode())
        commit = origin.git(
            "-c", "user.name=T", "-c", "user.email=t@example.org", "commit-tree", tree_id, "-m", "x"
        )
        origin.git("update-ref", "refs/heads/main", commit)
        snapshot = await mirrors.fetch("p", origin.url, commit)
        with pytest.raises(CheckoutRefused, match="two entries for one name"):
            async with scratch_tree(snapshot, root):
                pass
        assert list(outside.iterdir()) == []
        assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (CheckoutLimits(files=2), "3 files, more than 2"),
        (CheckoutLimits(bytes_total=25), "30 bytes, more than 25"),
        (CheckoutLimits(bytes_each=9), "has more than 9 bytes"),
    ],
)
async def test_a_commit_that_is_too_large_is_refused(
    origin: Origin, mirrors: Mirrors, root: Path, limits: CheckoutLimits, words: str
) -> None:
    snapshot = await fetch(mirrors, origin, dict.fromkeys("abc", b"x" * 10))
    with pytest.raises(CheckoutRefused, match=words):
        async with scratch_tree(snapshot, root, limits):
            pass
    assert list(root.iterdir()) == []


async def test_the_limits_are_not_too_tight(origin: Origin, mirrors: Mirrors, root: Path) -> None:
    snapshot = await fetch(mirrors, origin, dict.fromkeys("abc", b"x" * 10))
    exact = CheckoutLimits(files=3, bytes_total=30, bytes_each=10)
    async with scratch_tree(snapshot, root, exact) as tree:
        assert len(listing(tree)) == 3


async def test_a_tree_of_unwritable_directories_is_removed(
    origin: Origin, mirrors: Mirrors, root: Path
) -> None:
    snapshot = await fetch(mirrors, origin, {"a/b/c": b"x"})
    async with scratch_tree(snapshot, root) as tree:
        for directory in (tree / "a/b", tree / "a", tree):
            directory.chmod(0)
    assert list(root.iterdir()) == []


def test_what_dead_workers_left_is_swept(root: Path) -> None:
    for name, age in (("gate-old", 7200), ("gate-new", 10), ("other", 7200)):
        (root / name / "tree").mkdir(parents=True)
        os.utime(root / name, (time.time() - age,) * 2)
    assert sweep(root, 3600) == 1
    assert sorted(path.name for path in root.iterdir()) == ["gate-new", "other"]
    assert sweep(root / "nowhere", 3600) == 0
