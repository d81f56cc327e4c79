"""Receivers of webhooks: real servers on loopback that answer as they are told, byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Received:
    """One request, as it came; names of headers in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"ok", **headers: str) -> bytes:
    """A whole answer; `Retry_After="3"` becomes a header."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "\r\n"]).encode() + body


@dataclass
class Receiver:
    """Counts the connections that it accepts, keeps what it receives, and answers each request.

    `answers` are given one after the other, the last one again and again, each `delay` seconds
    late; None: it never answers, until `released`.
    """

    answers: list[bytes | None] = field(default_factory=lambda: [answer()])
    delay: float = 0.0
    accepted: int = 0
    hanging: int = 0
    received: list[Received] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for one request."""
        self.accepted += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            self.received.append(await _request(reader))
            writer.write(await self._answer())
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _answer(self) -> bytes:
        chosen = self.answers[min(len(self.received), len(self.answers)) - 1]
        await asyncio.sleep(self.delay)
        if chosen is None:
            self.hanging += 1
            await self.released.wait()
            self.hanging -= 1
        return chosen or b""


@asynccontextmanager
async def receiving(
    *answers: bytes | None,
    hosts: Iterable[str] = ("127.0.0.1",),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    """A receiver that gives these answers, while it listens on all of the hosts at one port."""
    receiver = Receiver([*answers] or [answer()], scheme="https" if tls else "http")
    servers: list[asyncio.Server] = []
    try:
        for host in hosts:
            server = await asyncio.start_server(receiver.handle, host, receiver.port, ssl=tls)
            servers.append(server)
            receiver.port = server.sockets[0].getsockname()[1]
        yield receiver
    finally:
        receiver.released.set()
        for server in servers:
            server.close()
            await server.wait_closed()


@asynccontextmanager
async def serving(handle: Handler, limit: int = 65_536) -> AsyncIterator[str]:
    """A server that treats each connection in its own way; yields where it listens."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await handle(reader, writer)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(run, "127.0.0.1", limit=limit)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *lines = head.strip().split("\r\n")
    headers = {n.strip().lower(): v.strip() for n, _, v in (text.partition(":") for text in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(line, headers, body)
