"""Request bodies: bounded each, bounded together, and read within a time limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from webhooks.github.strict_json import parse_object
from worker.errors import InvalidInput, Overloaded, TooLarge, UnsupportedMedia

MIB = 1024 * 1024
# GitHub's own cap: a larger payload is never sent.
WEBHOOK_LIMIT = 25 * MIB
API_LIMIT = 8 * MIB
IN_FLIGHT_LIMIT = 128 * MIB
READ_SECONDS = 10.0
ROOM_SECONDS = 3.0
# From here on hashing and parsing would hold the event loop up for milliseconds.
LARGE = 256 * 1024
# Parsing takes many times a body's size; each large one has a thread for itself meanwhile.
LARGE_AT_ONCE = 2


class Room:
    """So many bytes may be in flight at once, over all requests."""

    def __init__(self, capacity: int = IN_FLIGHT_LIMIT, patience: float = ROOM_SECONDS) -> None:
        self._capacity = capacity
        self._patience = patience
        self._freed = asyncio.Condition()
        self._waiting = 0
        self.taken = 0

    async def take(self, size: int) -> None:
        """Take `size` bytes. Raises Overloaded when there is no room within seconds."""
        if self.taken + size > self._capacity:
            await self._wait_for(size)
        self.taken += size

    async def give_back(self, size: int) -> None:
        """Let others have them."""
        self.taken -= size
        if self._waiting:
            async with self._freed:
                self._freed.notify_all()

    async def _wait_for(self, size: int) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience), self._freed:
                await self._freed.wait_for(lambda: self.taken + size <= self._capacity)
        except TimeoutError:
            raise Overloaded("Too many large requests at once; try again shortly.") from None
        finally:
            self._waiting -= 1


class Bodies:
    """Reads bodies. `capacity` is bytes, `seconds` the time that a whole body may take."""

    def __init__(self, room: Room | None = None, seconds: float = READ_SECONDS) -> None:
        self.room = room or Room()
        self._seconds = seconds
        self._threads = asyncio.Semaphore(LARGE_AT_ONCE)

    @asynccontextmanager
    async def body(self, request: web.Request, limit: int) -> AsyncIterator[bytes]:
        """The whole body, as it was sent; its room is given back at the end.

        Raises TooLarge above `limit` bytes (without reading them, where the length is told),
        UnsupportedMedia when it is compressed, Overloaded, and HTTPRequestTimeout.
        """
        _check_headers(request, limit)
        chunks: list[bytes] = []
        try:
            await self._read(request, limit, chunks)
            yield b"".join(chunks)
        finally:
            await self.room.give_back(sum(map(len, chunks)))

    async def json(self, request: web.Request) -> dict[str, Any]:
        """The JSON object in the body. Raises what `body` does, and InvalidInput."""
        if request.content_type != "application/json":
            raise UnsupportedMedia("Send application/json.")
        async with self.body(request, API_LIMIT) as body:
            if len(body) < LARGE:
                return parse_object(body)
            async with self._threads:
                return await asyncio.to_thread(parse_object, body)

    async def _read(self, request: web.Request, limit: int, chunks: list[bytes]) -> None:
        # What is there already needs no time limit: most bodies arrive with their headers.
        seconds = None if request.content.is_eof() else self._seconds
        try:
            async with asyncio.timeout(seconds):
                await self._read_chunks(request, limit, chunks)
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The request body took too long.") from None
        except web.RequestPayloadError:
            raise InvalidInput("The request body is cut short or malformed.") from None

    async def _read_chunks(self, request: web.Request, limit: int, chunks: list[bytes]) -> None:
        size = 0
        while chunk := await request.content.readany():
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            await self.room.take(len(chunk))
            chunks.append(chunk)


def too_large(limit: int) -> TooLarge:
    """The error for a body over its limit."""
    return TooLarge(f"The body is larger than {limit // MIB} MB.")


def _check_headers(request: web.Request, limit: int) -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise UnsupportedMedia("Send the body uncompressed, without Content-Encoding.")
    if (request.content_length or 0) > limit:
        raise too_large(limit)
