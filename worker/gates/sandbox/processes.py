"""The processes of one run, found through the first of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Processes:
    """`first` is the first process of a process namespace, by its number out here."""

    first: int

    def entries(self) -> list[Path]:
        """The directory of each in /proc. None before its own root is set up, or after its end."""
        root = Path(f"/proc/{self.first}/root")
        # What it is started with is this machine's root, and in its /proc are all processes.
        with suppress(OSError):
            if not root.samefile("/"):
                return _numbered(root / "proc")
        return []

    def statuses(self) -> Iterator[str]:
        """The text of each one's /proc/N/status."""
        for entry in self.entries():
            with suppress(OSError):
                yield (entry / "status").read_text()

    def open_files(self) -> Iterator[os.stat_result]:
        """What is open in any of them, each time that it is."""
        for entry in self.entries():
            for descriptor in _numbered(entry / "fd"):
                with suppress(OSError):
                    yield descriptor.stat()


def _numbered(directory: Path) -> list[Path]:
    with suppress(OSError):
        return [entry for entry in directory.iterdir() if entry.name.isdecimal()]
    return []
