"""Lays one commit out on the disk: its bytes and links exactly, and no program of anybody's.

The files come from the mirror as blobs: no checkout by git, and so no hooks, filters, line end
conversions, submodules or attributes. What a snapshot leaves out (names such as `.git` or `..`,
names that are not UTF-8, submodules) is not in the tree.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.gates.errors import CheckoutFailed, CheckoutRefused
from worker.gates.scratch import scratch

LINK = "120000"
EXECUTABLE = "100755"


class File(Protocol):
    """An entry of a commit's tree: `mode` as git writes it; `size` is None if it is missing."""

    @property
    def path(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def sha(self) -> str: ...
    @property
    def size(self) -> int | None: ...


class Contents(Protocol):
    """A blob that was read; `data` is None if it is missing or over the limit."""

    @property
    def data(self) -> bytes | None: ...


class Source(Protocol):
    """A commit of a mirror, as `worker.git.Snapshot` is one."""

    async def entries(self) -> Sequence[File]:
        """Every file."""

    def read(self, shas: Iterable[str], *, max_bytes_each: int) -> AsyncIterator[Contents]:
        """The blobs, in this order."""


@dataclass(frozen=True)
class CheckoutLimits:
    """How large a commit may be."""

    files: int = 200_000
    bytes_total: int = 2 * 2**30
    bytes_each: int = 256 * 2**20


@asynccontextmanager
async def scratch_tree(
    source: Source, root: Path, limits: CheckoutLimits | None = None
) -> AsyncIterator[Path]:
    """A directory with the commit in it, in a fresh scratch below `root`; removed at the end.

    Raises CheckoutRefused and CheckoutFailed.
    """
    async with scratch(root) as directory:
        tree = directory / "tree"
        await lay_out(source, tree, limits or CheckoutLimits())
        yield tree


async def lay_out(source: Source, tree: Path, limits: CheckoutLimits) -> None:
    """Write a commit to a directory that does not exist yet."""
    files = await source.entries()
    _check(files, limits)
    # Links come last, when every directory is there: nothing is ever written through one.
    ordered = sorted(files, key=lambda file: file.mode == LINK)
    try:
        await asyncio.to_thread(_make_directories, tree, ordered)
        await _write_all(source, tree, ordered, limits)
    except FileExistsError as error:
        raise CheckoutRefused(f"the commit has two entries for one name: {error}") from error
    except OSError as error:
        raise CheckoutFailed(f"the commit could not be written to {tree}: {error}") from error


def _check(files: Sequence[File], limits: CheckoutLimits) -> None:
    if len(files) > limits.files:
        raise CheckoutRefused(f"the commit has {len(files)} files, more than {limits.files}")
    total = sum(file.size or 0 for file in files)
    if total > limits.bytes_total:
        raise CheckoutRefused(f"the commit has {total} bytes, more than {limits.bytes_total}")
    for file in files:
        if (file.size or 0) > limits.bytes_each:
            raise CheckoutRefused(f"{file.path} has more than {limits.bytes_each} bytes")


def _make_directories(tree: Path, files: Iterable[File]) -> None:
    tree.mkdir()
    for parent in {(tree / file.path).parent for file in files}:
        parent.mkdir(parents=True, exist_ok=True)


async def _write_all(
    source: Source, tree: Path, files: Sequence[File], limits: CheckoutLimits
) -> None:
    remaining = iter(files)
    blobs = source.read((file.sha for file in files), max_bytes_each=limits.bytes_each)
    async for contents in blobs:
        file = next(remaining)
        if contents.data is None:
            raise CheckoutFailed(f"{file.path} is missing from the mirror")
        _write(tree / file.path, file.mode, contents.data)


def _write(path: Path, mode: str, data: bytes) -> None:
    if mode == LINK:
        path.symlink_to(os.fsdecode(data))
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o755 if mode == EXECUTABLE else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
