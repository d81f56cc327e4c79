"""The way between a simulated process and a server: slow, lossy, cut or silent."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from tests.simulation.loop import SimulatedLoop


def settle(future: "asyncio.Future[Any]", result: Any) -> None:
    """Give a future its result, unless it has one."""
    if not future.done():
        future.set_result(result)


class Refused(Exception):
    """There is nobody at the other end, or no way to it."""


class Broken(Exception):
    """The connection broke: whether the request was served is not known."""


@dataclass
class Weather:
    """How bad the ways to all servers are. Chances are per request, `delay` is seconds."""

    lose_request: float = 0.0
    lose_reply: float = 0.0
    slow: float = 0.0
    delay: float = 0.001


class Server:
    """What every server has: it is up or down, and knows the links that lead to it."""

    def __init__(self) -> None:
        self.up = True
        self.links: list[Link] = []

    def go_down(self) -> None:
        """Die: everything under way is lost or has lost its reply."""
        self.up = False
        for link in self.links:
            link.break_all()

    def come_up(self) -> None:
        """Be there again."""
        self.up = True


class Link:
    """All connections of a process to a server. `silent`: packets vanish, nothing is refused."""

    def __init__(
        self, name: str, loop: SimulatedLoop, server: Server, weather: Weather, random: Random
    ) -> None:
        self.name = name
        self.silent = False
        self._loop = loop
        self._server = server
        self._weather = weather
        self._random = random
        self._held: list[Callable[[], None]] = []
        self._connections: list[Connection] = []
        server.links.append(self)

    async def connect(self) -> "Connection":
        """Reach the server. Waits for ever while the link is silent; raises Refused."""
        arrived: asyncio.Future[None] = self._loop.create_future()
        self._carry(partial(settle, arrived, None))
        await arrived
        if not self._server.up:
            raise Refused("connection refused")
        connection = Connection(self)
        self._connections.append(connection)
        return connection

    def set_silent(self, silent: bool) -> None:
        """Begin or end to swallow packets; what was held goes on its way when it ends."""
        self.silent = silent
        if not silent:
            held, self._held = self._held, []
            for deliver in held:
                deliver()

    def break_all(self) -> None:
        """Every connection breaks now."""
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.broke()

    def abandon(self) -> None:
        """The process is gone: its system hangs up for it."""
        for connection in [*self._connections]:
            connection.close()

    def _latency(self) -> float:
        weather = self._weather
        if weather.slow and self._random.random() < weather.slow:
            return self._random.uniform(0.05, 6.0)
        return weather.delay * (0.2 + self._random.random())

    def _carry(self, deliver: Callable[[], object], earliest: float = 0.0) -> float:
        """Take something to the other end; answers when it will be there."""
        when = max(self._loop.time() + self._latency(), earliest)
        self._loop.outside(when - self._loop.time(), self._arrive, deliver)
        return when

    def _arrive(self, deliver: Callable[[], None]) -> None:
        if self.silent:
            self._held.append(deliver)
        else:
            deliver()

    def _forget(self, connection: "Connection") -> None:
        if connection in self._connections:
            self._connections.remove(connection)


class Connection:
    """One stream of requests and replies, each direction in order."""

    def __init__(self, link: Link) -> None:
        self.name = link.name
        self.open = True
        self._link = link
        self._there = 0.0
        self._back = 0.0
        self._pending: list[asyncio.Future[Any]] = []
        # For the server: the client has gone. For the client: the connection was lost.
        self.on_close: list[Callable[[], object]] = []
        self.on_break: list[Callable[[], object]] = []

    def ask(self, serve: Callable[[], Any]) -> "asyncio.Future[Any]":
        """Have the server do something; the answered future has its reply, or Broken.

        `serve` may answer a future: then the reply leaves when that has a result.
        """
        reply: asyncio.Future[Any] = self._link._loop.create_future()
        self._pending.append(reply)
        if not self.open:
            self.broke()
        elif self._happens(self._link._weather.lose_request):
            self._link._carry(self.broke)
        else:
            self._there = self._link._carry(lambda: self._served(serve, reply), self._there)
        return reply

    def close(self) -> None:
        """Hang up; the server learns of it later. Requests under way may still be served."""
        if self.open:
            self.open = False
            self._link._forget(self)
            self._link._carry(self._closed, self._there)

    def broke(self) -> None:
        """The connection is gone for both sides, at once."""
        if self.open:
            self.open = False
            self._link._forget(self)
            self._closed()
            for notify in self.on_break:
                notify()
        self._fail_pending()

    def tell(self, deliver: Callable[[], None]) -> None:
        """Carry something from the server that nobody asked for now."""

        def deliver_if_open() -> None:
            if self.open:
                deliver()

        self._back = self._link._carry(deliver_if_open, self._back)

    def _closed(self) -> None:
        for notify in self.on_close:
            notify()
        self.on_close.clear()

    def _fail_pending(self) -> None:
        pending, self._pending = self._pending, []
        for reply in pending:
            if not reply.done():
                reply.set_exception(Broken("connection lost"))
                reply.exception()

    def _served(self, serve: Callable[[], Any], reply: "asyncio.Future[Any]") -> None:
        link = self._link
        if not link._server.up:
            self.broke()
            return
        if not self.open and link._random.random() < 0.5:
            return
        answer = serve()
        if isinstance(answer, asyncio.Future):
            answer.add_done_callback(lambda done: self._reply_later(reply, done))
        else:
            self._reply(reply, answer)

    def _reply_later(self, reply: "asyncio.Future[Any]", done: "asyncio.Future[Any]") -> None:
        if not done.cancelled():
            self._reply(reply, done.result())

    def _reply(self, reply: "asyncio.Future[Any]", answer: Any) -> None:
        if self._happens(self._link._weather.lose_reply):
            self._link._carry(self.broke)
        else:
            self._back = self._link._carry(lambda: self._deliver(reply, answer), self._back)

    def _deliver(self, reply: "asyncio.Future[Any]", answer: Any) -> None:
        if reply in self._pending:
            self._pending.remove(reply)
        settle(reply, answer)

    def _happens(self, chance: float) -> bool:
        return bool(chance) and self._link._random.random() < chance
