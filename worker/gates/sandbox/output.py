"""What a command prints: the end of it is kept, the amount is limited, the memory constant."""

import asyncio
from asyncio import StreamReader
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

KEPT_BYTES = 256 * 1024
CHUNK = 64 * 1024


class Output:
    """The last part of one or more streams, in the order of arrival.

    `overflow` is called once as soon as there was more than `limit` altogether; what comes
    after that is read and thrown away, so that nothing blocks while the tree is ended.
    """

    def __init__(self, limit: int, overflow: Callable[[], None]) -> None:
        self._limit = limit
        self._overflow = overflow
        self._chunks: deque[bytes] = deque()
        self._kept = 0
        self._seen = 0

    @property
    def tail(self) -> bytes:
        """At most 256 kB."""
        return b"".join(self._chunks)[-KEPT_BYTES:]

    async def read(self, stream: StreamReader, copy: Path | None = None) -> None:
        """Read a stream to its end, copying it whole to a file if one is given."""
        if copy is None:
            await self._read(stream, None)
            return
        with await asyncio.to_thread(copy.open, "wb") as file:
            await self._read(stream, file)

    async def _read(self, stream: StreamReader, file: BinaryIO | None) -> None:
        while chunk := await stream.read(CHUNK):
            within = self._seen <= self._limit
            self._seen += len(chunk)
            if not within:
                continue
            self._keep(chunk)
            if file:
                await asyncio.to_thread(file.write, chunk)
            if self._seen > self._limit:
                self._overflow()

    def _keep(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._kept += len(chunk)
        while self._kept - len(self._chunks[0]) >= KEPT_BYTES:
            self._kept -= len(self._chunks.popleft())
