"""Many documents into artifacts, by several processes where that is worth it."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeAlias

from pydantic import TypeAdapter

from worker.artifacts import Artifact, parse

LARGE_BYTES = 2_000_000
MOST_PROCESSES = 8
STEP = 10

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of documents read, and of all."""

_ARTIFACTS = TypeAdapter(list[Artifact])


class RawDocument(NamedTuple):
    """A document as it lies in the tree."""

    path: str
    sha: str
    data: bytes


_Share: TypeAlias = Sequence[RawDocument]


class _Tally:
    """Counts the documents that have been read."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._read, self._total, self._progress = 0, total, progress

    def add(self, read: int) -> None:
        self._read += read
        self._progress(self._read, self._total)


class _Helper:
    """A process that parses a share of the documents, which it has from being forked."""

    def __init__(self, share: _Share) -> None:
        self._share = share
        self._receiving, sending = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_help, args=(share, sending), daemon=True)
        self._process.start()
        sending.close()

    def result(self, tally: _Tally) -> list[Artifact]:
        """What it found. Should it have been killed, for its memory say, its share is read here."""
        try:
            found = _ARTIFACTS.validate_json(self._receiving.recv_bytes())
        except EOFError:
            return _parse(self._share, tally)
        tally.add(len(self._share))
        return found

    def end(self) -> None:
        self._process.terminate()
        self._process.join()
        self._receiving.close()


def parse_all(documents: Sequence[RawDocument], progress: Progress) -> list[Artifact]:
    """The artifacts among the documents, in their order."""
    *others, own = _shares(documents)
    tally = _Tally(len(documents), progress)
    with _no_collection():
        helpers = [_Helper(share) for share in others]
        try:
            last = _parse(own, tally)
            return [a for helper in helpers for a in helper.result(tally)] + last
        finally:
            for helper in helpers:
                helper.end()


def _shares(documents: Sequence[RawDocument]) -> list[_Share]:
    """Consecutive documents for each process, of about the same size; one share if they are few."""
    size = sum(len(document.data) for document in documents)
    count = _processors() if size >= LARGE_BYTES else 1
    shares: list[list[RawDocument]] = [[] for _ in range(count)]
    before = 0
    for document in documents:
        shares[min(count * before // max(size, 1), count - 1)].append(document)
        before += len(document.data)
    return [*shares]


def _processors() -> int:
    # Only a process without threads can be forked, and any other start costs more than it gains.
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def _parse(share: _Share, tally: _Tally) -> list[Artifact]:
    found = []
    for start in range(0, len(share), STEP):
        step = share[start : start + STEP]
        found += [artifact for document in step if (artifact := parse(*document))]
        tally.add(len(step))
    return found


def _help(share: _Share, sending: Connection) -> None:
    # An interrupt reaches all processes of a terminal; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    found = _parse(share, _Tally(len(share), lambda read, total: None))
    # Faster than pickle in both directions.
    sending.send_bytes(_ARTIFACTS.dump_json(found))


@contextmanager
def _no_collection() -> Iterator[None]:
    # Records have no cycles, and looking for some among a growing million takes a fifth longer.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
