"""One commit of a mirror, read without a checkout."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice

from worker.git.generations import Generation
from worker.git.names import check_object_id
from worker.git.readers import Reader, Readers

ASKED_AT_ONCE = 256
BYTES_AT_ONCE = 8 * 1024 * 1024

_BLOB_MODES = {"100644", "100755", "100664", "120000"}
_UNSAFE_PATH = re.compile(rb"(?:^|/)(?:\.\.?|\.git)?(?:/|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: `mode` is 100644, 100755 or 120000 (a symbolic link: its blob is the target)."""

    path: str
    mode: str
    sha: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs; `sha` and `mode` are None where it is no longer a file."""

    path: str
    sha: str | None
    mode: str | None


@dataclass(frozen=True, slots=True)
class Blob:
    """`data` is None if the blob is over the limit of bytes, or missing (then `size` is, too)."""

    sha: str
    data: bytes | None
    size: int | None


class Snapshot:
    """A commit and its tree. Stays readable through later fetches and rebuilds.

    Submodules are left out; symbolic links are there, for the caller to skip. Left out as well
    are paths that are not UTF-8 (no text column takes them, and any replacement could collide
    with another path) and paths that no honest client commits: `..`, `.git` and empty parts.
    Every method raises MirrorBroken if objects turn out to be missing or corrupt.
    """

    def __init__(self, readers: Readers, generation: Generation, commit: str, tree: str) -> None:
        self._readers = readers
        self._generation = generation
        self.commit = commit
        self.tree = tree

    async def entries(self) -> list[Entry]:
        """Every file of the tree, in git's order."""
        async with self._readers.use(self._generation) as reader:
            return list(_parse_listing(await reader.listing(self.tree)))

    async def changes(self, old_tree: str) -> list[Change] | None:
        """What differs from `old_tree`; None if the mirror does not have that tree."""
        check_object_id(old_tree)
        async with self._readers.use(self._generation) as reader:
            raw = await reader.differences(old_tree, self.tree)
        return None if raw is None else list(_parse_differences(raw))

    async def common_ancestor(self, commit: str) -> str | None:
        """The newest commit that this one and `commit` have come from, as far as the mirror knows.

        It is one of the two if that one came before the other.
        """
        check_object_id(commit)
        async with self._readers.use(self._generation) as reader:
            return await reader.common_ancestor(self.commit, commit)

    async def paths(self) -> Set[str]:
        """Every path of the tree; from what differs, if another tree was listed before."""
        listed, mirror = self._readers.listed, self._generation.path
        tree, paths = listed.last(mirror) or (None, frozenset[str]())
        if tree != self.tree:
            changes = await self.changes(tree) if tree else None
            if changes is None:
                paths = {entry.path for entry in await self.entries()}
            else:
                there = {change.path for change in changes if change.sha}
                paths = (paths - {change.path for change in changes}) | there
            listed.keep(mirror, self.tree, paths)
        return paths

    async def paths_ever(self) -> Set[str]:
        """Every path that was a file in this commit or in one before it."""
        walked, mirror = self._readers.walked, self._generation.path
        commit, paths = walked.last(mirror) or (None, frozenset[str]())
        if commit != self.commit:
            goes_on = commit is not None and await self.common_ancestor(commit) == commit
            async with self._readers.use(self._generation) as reader:
                commits = f"{commit}..{self.commit}" if goes_on else self.commit
                added = await reader.paths_added(commits)
            paths = paths | added if goes_on else added
            walked.keep(mirror, self.commit, paths)
        return paths

    async def texts(self, paths: Iterable[str], *, max_bytes_each: int) -> dict[str, str]:
        """What these files of the tree say; those that are larger, or not there, are left out."""
        # git is asked line by line.
        names = [path for path in paths if "\n" not in path]
        asked = [f"{self.tree}:{path}" for path in names]
        async with self._readers.use(self._generation) as reader:
            sizes = await reader.sizes(asked)
        sized = [
            (path, place)
            for path, place, size in zip(names, asked, sizes, strict=True)
            if size is not None and size <= max_bytes_each
        ]
        async with self._readers.use(self._generation) as reader:
            contents = await reader.contents([place for _, place in sized])
        pairs = zip(sized, contents, strict=True)
        return {path: data.decode(errors="replace") for (path, _), data in pairs}

    async def read(self, shas: Iterable[str], *, max_bytes_each: int) -> AsyncIterator[Blob]:
        """The blobs in the order asked for, in bounded memory."""
        remaining = iter(shas)
        while chunk := [check_object_id(sha) for sha in islice(remaining, ASKED_AT_ONCE)]:
            async with self._readers.use(self._generation) as reader:
                sizes = await reader.sizes(chunk)
            for batch in _batches(zip(chunk, sizes, strict=True), max_bytes_each):
                async with self._readers.use(self._generation) as reader:
                    blobs = await _read_batch(reader, batch, max_bytes_each)
                for blob in blobs:
                    yield blob


async def _read_batch(
    reader: Reader, batch: Sequence[tuple[str, int | None]], limit: int
) -> list[Blob]:
    wanted = [sha for sha, size in batch if size is not None and size <= limit]
    data = iter(await reader.contents(wanted))
    return [
        Blob(sha, next(data) if size is not None and size <= limit else None, size)
        for sha, size in batch
    ]


def _batches(
    sized: Iterable[tuple[str, int | None]], limit: int
) -> Iterator[list[tuple[str, int | None]]]:
    batch: list[tuple[str, int | None]] = []
    total = 0
    for sha, size in sized:
        wanted = size if size is not None and size <= limit else 0
        if batch and total + wanted > BYTES_AT_ONCE:
            yield batch
            batch, total = [], 0
        batch.append((sha, size))
        total += wanted
    yield batch


def _parse_listing(raw: bytes) -> Iterator[Entry]:
    for record in raw.split(b"\0")[:-1]:
        about, _, name = record.partition(b"\t")
        mode, _, sha, size = about.decode().split()
        path = _usable(name)
        if path and mode in _BLOB_MODES:
            yield Entry(path, mode, sha, int(size) if size.isdigit() else None)


def _parse_differences(raw: bytes) -> Iterator[Change]:
    fields = raw.split(b"\0")
    for about, name in zip(fields[:-1:2], fields[1::2], strict=True):
        old_mode, mode, _, sha, _ = about.decode().removeprefix(":").split()
        path = _usable(name)
        if not path:
            continue
        if mode in _BLOB_MODES:
            yield Change(path, sha, mode)
        elif old_mode in _BLOB_MODES:
            yield Change(path, None, None)


def _usable(name: bytes) -> str | None:
    if _UNSAFE_PATH.search(name):
        return None
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None
