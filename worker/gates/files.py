"""Reading a tree that nobody vouches for: inside it, through no symlink, bounded."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST_ENTRIES = 20_000
"""The most entries of a folder, or of a whole walk, that are looked at."""
MOST_MATCHES = 200

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A named pipe must not keep us waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_OURS = frozenset({"node_modules", "vendor", "target", "dist", "build", "third_party"})


def inside(path: str) -> bool:
    """Whether `path` is relative and stays below where it starts; "" is the place itself."""
    return "\0" not in path and not path.startswith("/") and ".." not in path.split("/")


class Files:
    """The files below `root`; every path is relative to it, with slashes; "" is the root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, limit: int) -> bytes | None:
        """Its bytes; None where there is no such plain file, or it is longer than `limit`."""
        with suppress(OSError), self._opened(path, _FILE) as file:
            status = os.fstat(file)
            if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
                with open(file, "rb", closefd=False) as stream:
                    data = stream.read(limit + 1)
                return data if len(data) <= limit else None
        return None

    def is_file(self, path: str) -> bool:
        """Whether a plain file is there."""
        return stat.S_ISREG(self._mode(path))

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return path == "" or stat.S_ISDIR(self._mode(path))

    def names(self, folder: str) -> list[str]:
        """The names in `folder`, sorted; folders end with a slash; links are left out."""
        found = []
        with suppress(OSError), self._opened(folder, _FOLDER) as handle, os.scandir(handle) as each:
            for entry, _ in zip(each, range(MOST_ENTRIES), strict=False):
                if entry.is_dir(follow_symlinks=False):
                    found.append(f"{entry.name}/")
                elif entry.is_file(follow_symlinks=False):
                    found.append(entry.name)
        return sorted(found)

    def walk(self, folder: str, depth: int) -> Iterator[str]:
        """Plain files below `folder`, `depth` folders down; not hidden, built or vendored ones."""
        left = MOST_ENTRIES
        waiting = [(folder, depth)]
        while waiting and left > 0:
            place, levels = waiting.pop(0)
            names = self.names(place)
            left -= len(names)
            for name in names:
                if not name.endswith("/"):
                    yield joined(place, name)
                elif levels and not name.startswith(".") and name[:-1] not in _NOT_OURS:
                    waiting.append((joined(place, name[:-1]), levels - 1))

    def matching(self, pattern: str) -> list[str]:
        """Plain files of that path, where `*` stands for any part of one name."""
        places = [""]
        for part in pattern.split("/"):
            places = [path for place in places for path in self._under(place, part)][:MOST_MATCHES]
        return [place for place in places if self.is_file(place)]

    def remove(self, path: str) -> None:
        """Remove a file or link, or an empty folder, if it is there."""
        folder, name = _apart(path)
        with suppress(OSError), self._opened(folder, _FOLDER) as handle:
            if stat.S_ISDIR(os.lstat(name, dir_fd=handle).st_mode):
                os.rmdir(name, dir_fd=handle)
            else:
                os.unlink(name, dir_fd=handle)

    def make_folder(self, name: str) -> None:
        """A folder of that name in the root, in the place of whatever file was there."""
        if not self.is_folder(name):
            self.remove(name)
        (self.root / name).mkdir(exist_ok=True)

    def _under(self, place: str, part: str) -> list[str]:
        if "*" not in part:
            return [joined(place, part)]
        pattern = re.compile("[^/]*".join(map(re.escape, part.split("*"))) + "/?")
        names = (name for name in self.names(place) if pattern.fullmatch(name))
        return [joined(place, name.removesuffix("/")) for name in names]

    def _mode(self, path: str) -> int:
        folder, name = _apart(path)
        with suppress(OSError), self._opened(folder, _FOLDER) as handle:
            return os.lstat(name, dir_fd=handle).st_mode if name else 0
        return 0

    @contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        if not inside(path):
            raise FileNotFoundError(path)
        parts = [part for part in path.split("/") if part not in ("", ".")]
        handle = os.open(self.root, _FOLDER & ~os.O_NOFOLLOW if parts else flags)
        try:
            for index, part in enumerate(parts, 1):
                kind = flags if index == len(parts) else _FOLDER
                deeper = os.open(part, kind, dir_fd=handle)
                os.close(handle)
                handle = deeper
            yield handle
        finally:
            os.close(handle)


def joined(folder: str, name: str) -> str:
    """The path of `name` in `folder`, either of which may be ""."""
    return f"{folder}/{name}" if folder and name else folder or name


def _apart(path: str) -> tuple[str, str]:
    """The folder and the name of `path`; no name where it leads out of the tree."""
    folder, _, name = path.rpartition("/")
    return (folder, name) if inside(path) else ("", "")
