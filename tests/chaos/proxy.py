"""A TCP proxy between the product and its Redis or Postgres, which can fail in every way.

It passes, refuses, swallows, slows down, resets every so often, or cuts a connection exactly
around the request or the reply of a chosen command, script or statement.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from tests.chaos.wire import Dialect, Message, PostgresWire, Resp

CHUNK = 65_536
LOST = (OSError, asyncio.IncompleteReadError)


class Moment(Enum):
    """Where a connection is cut, seen from the client."""

    BEFORE_REQUEST = "before the request"  # the server never sees it
    BEFORE_REPLY = "before the reply"  # the server has done it, and the client cannot know
    AFTER_REPLY = "after the reply"  # the client knows, and has no connection any more


class Cut:
    """An order to cut at the n-th request or reply of that name; `happened` tells when it was."""

    def __init__(self, name: str, moment: Moment, nth: int, then: Callable[[], None]) -> None:
        self.happened = asyncio.Event()
        self._name = name
        self._moment = moment
        self._left = nth
        self._then = then

    def strikes(self, name: str, moment: Moment) -> bool:
        """Whether this is the moment."""
        if self.happened.is_set() or (name, moment) != (self._name, self._moment):
            return False
        self._left -= 1
        if self._left == 0:
            self._then()
            self.happened.set()
        return self._left == 0


class Proxy:
    """A server's stand-in on a loopback port. Healthy until told otherwise."""

    def __init__(self, url: str) -> None:
        self._upstream = _Upstream(url)
        self._links: set[_Link] = set()
        self._cuts: list[Cut] = []
        self._server: asyncio.Server
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.refusing = False
        self.delay = 0.0

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[Self]:
        """Listen; at the end every connection is cut."""
        proxy = cls(url)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0, limit=CHUNK)
        try:
            yield proxy
        finally:
            proxy._server.close()
            await proxy.reset()

    @property
    def url(self) -> str:
        """The server's address, by way of this proxy."""
        return self._upstream.by_way_of(self._server.sockets[0].getsockname()[1])

    def heal(self) -> None:
        """Pass everything on again. What was swallowed arrives now, late."""
        self.flowing.set()
        self.refusing = False
        self.delay = 0.0

    async def refuse(self) -> None:
        """Reset every connection, and each new one."""
        self.refusing = True
        await self.reset()

    def swallow(self) -> None:
        """A black hole: connections are accepted and stay open, and nothing comes through."""
        self.flowing.clear()

    async def reset(self) -> None:
        """Reset every connection that is open."""
        links = list(self._links)
        for link in links:
            link.reset()
        await asyncio.gather(*(link.ended.wait() for link in links))

    async def reset_every(self, pause: float, seconds: float) -> None:
        """Reset everything again and again for so long."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            await self.reset()
            await asyncio.sleep(pause)

    def cut(
        self, name: str, moment: Moment, nth: int = 1, then: Callable[[], None] = lambda: None
    ) -> Cut:
        """Cut a connection at the n-th such moment from now on; `then` is called just before."""
        cut = Cut(name, moment, nth, then)
        self._cuts.append(cut)
        return cut

    def strikes(self, name: str, moment: Moment) -> bool:
        """Whether some order says to cut here."""
        return any(cut.strikes(name, moment) for cut in self._cuts)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, self._upstream.dialect(), reader, writer)
        self._links.add(link)
        try:
            if not self.refusing:
                await link.run(self._upstream)
        except (*LOST, asyncio.CancelledError):
            return
        finally:
            link.close()
            self._links.discard(link)
            link.ended.set()


class _Link:
    """One connection of a client, and the one to the server behind it."""

    def __init__(
        self, proxy: Proxy, dialect: Dialect, reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        self._proxy = proxy
        self._dialect = dialect
        self._reader, self._writer = reader, writer
        self._server: asyncio.StreamWriter | None = None
        self._task = asyncio.current_task()
        self._pumps: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()

    async def run(self, upstream: "_Upstream") -> None:
        """Carry both directions until one side is done."""
        await self._proxy.flowing.wait()
        replies, self._server = await upstream.connect()
        self._pumps = [
            asyncio.create_task(self._carry_requests(self._server)),
            asyncio.create_task(self._carry_replies(replies)),
        ]
        done, _ = await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled() and not isinstance(task.exception(), LOST):
                task.result()

    def reset(self) -> None:
        """Have it closed."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """End it with RST towards the client."""
        for pump in self._pumps:
            pump.cancel()
        client = self._writer.transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        if self._server is not None:
            self._server.transport.abort()

    async def _carry_requests(self, server: asyncio.StreamWriter) -> None:
        while data := await self._reader.read(CHUNK):
            await self._hold_up()
            for message in self._dialect.requests(data):
                if self._proxy.strikes(message.name, Moment.BEFORE_REQUEST):
                    return
                server.write(message.data)
            await server.drain()

    async def _carry_replies(self, replies: asyncio.StreamReader) -> None:
        while data := await replies.read(CHUNK):
            await self._hold_up()
            for message in self._dialect.replies(data):
                if self._proxy.strikes(message.name, Moment.BEFORE_REPLY):
                    return
                self._writer.write(message.data)
                if self._proxy.strikes(message.name, Moment.AFTER_REPLY):
                    await self._say_goodbye()
                    return
            await self._writer.drain()

    async def _say_goodbye(self) -> None:
        # Not RST: it could overtake the reply that must arrive.
        await self._writer.drain()
        self._writer.close()
        with suppress(*LOST):
            await self._writer.wait_closed()

    async def _hold_up(self) -> None:
        if self._proxy.delay:
            await asyncio.sleep(self._proxy.delay)
        await self._proxy.flowing.wait()


class _Upstream:
    """Where a URL leads to, and how to write the same URL with another host and port."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._query = {name: values[0] for name, values in parse_qs(self._parts.query).items()}
        self._is_redis = self._parts.scheme in ("redis", "unix")

    def dialect(self) -> Dialect:
        """A reader of one connection."""
        return Resp() if self._is_redis else PostgresWire()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the server itself."""
        if self._parts.scheme == "unix":
            return await asyncio.open_unix_connection(self._parts.path)
        host, port = self._query.get("host"), int(self._query.get("port", "5432"))
        if host and host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        default = 6379 if self._is_redis else 5432
        return await asyncio.open_connection(self._parts.hostname, self._parts.port or default)

    def by_way_of(self, port: int) -> str:
        """The URL with 127.0.0.1 and this port in the place of its server."""
        user = self._parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        if self._parts.scheme == "unix":
            return f"redis://{netloc}/{self._query.get('db', '0')}"
        # Encrypted, it could not be read on the way.
        plain = {k: v for k, v in self._query.items() if k not in ("host", "port")}
        query = "" if self._is_redis else urlencode(plain | {"sslmode": "disable"})
        return urlunsplit(self._parts._replace(netloc=netloc, query=query))


__all__ = ["Cut", "Message", "Moment", "Proxy"]
