"""Request bodies: bounded each, bounded together, and read within a time limit."""

import asyncio
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
        self._freed = asyncio.Event()
        self.taken = 0

    async def take(self, size: int) -> None:
        """Take `size` bytes. Raises Overloaded when there is no room within seconds."""
        while not self.take_now(size):
            await self._wait_for(size)

    def take_now(self, size: int) -> bool:
        """Take `size` bytes if there is room for them at once."""
        if self.taken + size > self._capacity:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        """Let others have them."""
        self.taken -= size
        self._freed.set()

    async def _wait_for(self, size: int) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while self.taken + size > self._capacity:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            raise Overloaded("Too many large requests at once; try again shortly.") from None


class Bodies:
    """Reads bodies. `seconds` is the time that a whole body may take."""

    def __init__(self, room: Room | None = None, seconds: float = READ_SECONDS) -> None:
        self.room = room or Room()
        self._seconds = seconds
        self._threads = asyncio.Semaphore(LARGE_AT_ONCE)

    async def read(self, request: web.Request, limit: int) -> bytes:
        """The whole body, as it was sent. The caller must `release` it.

        Raises TooLarge above `limit` bytes (without reading them, where the length is told),
        UnsupportedMedia when it is compressed, InvalidInput when it is cut short, Overloaded, and
        HTTPRequestTimeout.
        """
        _check_headers(request, limit)
        try:
            # What is there already needs no time limit: most bodies arrive with their headers.
            if request.content.is_eof():
                return await self._at_once(request)
            async with asyncio.timeout(self._seconds):
                return await self._as_it_comes(request, limit)
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The request body took too long.") from None
        except web.RequestPayloadError:
            raise InvalidInput("The request body is cut short or malformed.") from None

    def release(self, body: bytes) -> None:
        """Give a body's room back."""
        self.room.give_back(len(body))

    async def json(self, request: web.Request) -> dict[str, Any]:
        """The JSON object in the body. Raises what `read` does."""
        if request.content_type != "application/json":
            raise UnsupportedMedia("Send application/json.")
        body = await self.read(request, API_LIMIT)
        try:
            if len(body) < LARGE:
                return parse_object(body)
            async with self._threads:
                return await asyncio.to_thread(parse_object, body)
        finally:
            self.release(body)

    async def _at_once(self, request: web.Request) -> bytes:
        body = request.content.read_nowait()
        await self.room.take(len(body))
        return body

    async def _as_it_comes(self, request: web.Request, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            while chunk := await request.content.readany():
                await self.room.take(len(chunk))
                size += len(chunk)
                chunks.append(chunk)
                if size > limit:
                    raise too_large(limit)
        except BaseException:
            self.room.give_back(size)
            raise
        return b"".join(chunks)


def too_large(limit: int) -> TooLarge:
    """The error for a body over its limit."""
    return TooLarge(f"The body is larger than {limit // MIB} MB.")


def _check_headers(request: web.Request, limit: int) -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise UnsupportedMedia("Send the body uncompressed, without Content-Encoding.")
    if (request.content_length or 0) > limit:
        raise too_large(limit)
