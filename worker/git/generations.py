"""A mirror on disk.

    <key>/lock           held by whoever fetches
    <key>/current        symbolic link to the generation in use
    <key>/g-<random>/    a bare repository

A rebuild fills a new generation and then moves the link, so that a half-built one is never seen.
The old one stays until nobody reads it: readers hold a shared lock on its directory.
"""

import fcntl
import os
import secrets
import shutil
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from worker.git.environment import git_environment, presentable
from worker.git.errors import GitFailed, MirrorBroken
from worker.git.locks import try_lock
from worker.git.process import run


class Generation:
    """One bare repository, kept from removal for as long as this object lives."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, descriptor)
        if not try_lock(descriptor, fcntl.LOCK_SH):
            raise FileNotFoundError(f"{path} is being removed")
        self.path = path

    def retire(self) -> None:
        """Take a generation that cannot be read out of use; the next fetch builds another."""
        link = _link(self.path.parent)
        if _target(link) == self.path:
            link.unlink(missing_ok=True)


def hold_current(home: Path) -> Generation:
    """The generation in use. Raises MirrorBroken if there is none."""
    while path := _target(_link(home)):
        with suppress(FileNotFoundError, NotADirectoryError):
            generation = Generation(path)
            if _target(_link(home)) == path:
                return generation
        if _target(_link(home)) == path:
            break
    raise MirrorBroken(f"mirror {home.name} has not been built")


async def create(home: Path, object_format: str) -> Generation:
    """An empty repository beside the one in use, if any. Needs the lock."""
    path = home / f"g-{secrets.token_hex(8)}"
    path.mkdir()
    generation = Generation(path)
    options = ("--quiet", "--bare", "--template=", f"--object-format={object_format}")
    done = await run("init", *options, environment=git_environment(path))
    if done.code:
        raise GitFailed(f"mirror {home.name} could not be created: {presentable(done.stderr)}")
    return generation


def publish(generation: Generation) -> None:
    """Make this the generation in use, in one step. Needs the lock."""
    link = _link(generation.path.parent)
    fresh = link.with_name("current.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(generation.path.name)
    fresh.replace(link)


def sweep(home: Path) -> None:
    """Remove generations that are not in use and that nobody reads. Needs the lock."""
    current = _target(_link(home))
    for path in home.glob("g-*"):
        if path != current and _unread(path):
            shutil.rmtree(path)


def mark_used(home: Path) -> None:
    """Note that somebody wanted this mirror now."""
    os.utime(home)


def remove_unused(home: Path, before: float) -> bool:
    """Remove a mirror that was not used since `before`, a Unix time; answers whether it did.

    One that is being fetched stays, and a generation that is being read goes with a later sweep.
    The directory and its lock stay too, for whoever waits for it.
    """
    try:
        descriptor = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False  # not a mirror
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX) or home.stat().st_mtime >= before:
            return False
        link = _link(home)
        held = link.is_symlink() or any(home.glob("g-*"))
        link.unlink(missing_ok=True)
        sweep(home)
        return held
    finally:
        os.close(descriptor)


def clear_leftovers(generation: Generation) -> None:
    """Remove what a killed fetch left behind: locks and unfinished packs. Needs the lock."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/**/*.lock", "objects/**/*tmp_*"):
        for path in generation.path.glob(pattern):
            path.unlink(missing_ok=True)
    for path in generation.path.glob("objects/pack/.tmp-*"):
        path.unlink(missing_ok=True)


def count_packs(generation: Generation) -> int:
    """How many packs hold the objects."""
    return sum(entry.name.endswith(".pack") for entry in _pack_files(generation))


def count_bytes(generation: Generation) -> int:
    """Bytes in packs, finished or arriving, which is all but a few kB of a mirror."""
    total = 0
    for entry in _pack_files(generation):
        with suppress(FileNotFoundError):
            total += entry.stat().st_size
    return total


def _pack_files(generation: Generation) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(generation.path / "objects/pack") as entries:
        yield from entries


def _link(home: Path) -> Path:
    return home / "current"


def _target(link: Path) -> Path | None:
    try:
        return link.parent / link.readlink()
    except OSError:
        return None


def _unread(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)
