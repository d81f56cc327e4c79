"""A bar on standard error for work that takes long, where somebody is watching."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from worker.conflicts.local_parsing import Progress

PATIENCE_SECONDS = 0.5
WIDTH = 30
_ERASE = "\r\033[K"


@contextmanager
def progress_bar(of: str) -> Iterator[Progress]:
    """Yields what moves the bar; `of` says what is counted. Nothing is left of it at the end."""
    bar = _Bar(of) if sys.stderr.isatty() else None
    try:
        yield bar.show if bar else _nothing
    finally:
        if bar:
            bar.erase()


def _nothing(_: int, __: int) -> None:
    """Nobody is watching."""


class _Bar:
    def __init__(self, of: str) -> None:
        self._of = of
        self._due = time.monotonic() + PATIENCE_SECONDS
        self._shown = False

    def show(self, done: int, total: int) -> None:
        if time.monotonic() < self._due:
            return
        full = WIDTH * done // max(total, 1)
        bar = f"{'█' * full}{'░' * (WIDTH - full)}"
        self._write(f"{_ERASE}{bar} {done} of {total} {self._of}")
        self._shown = True

    def erase(self) -> None:
        if self._shown:
            self._write(_ERASE)

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
