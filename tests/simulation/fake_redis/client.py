"""The product's Redis client over a simulated link: only the bytes on the wire are left out."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextvars import copy_context
from functools import partial
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.simulation.fake_redis.keyspace import ReplyError
from tests.simulation.fake_redis.server import RedisServer
from tests.simulation.network import Connection, Link, Refused
from worker.redis_pool import connect_redis

Words = list[bytes]


def simulated_redis(link: Link, server: RedisServer) -> ArqRedis:
    """A client as the product makes it, its limits and all, whose connections are simulated."""
    redis = connect_redis("redis://simulated:6379/0")
    limits = redis.connection_pool.connection_kwargs
    known = ("socket_timeout", "socket_connect_timeout", "health_check_interval")
    redis.connection_pool = ConnectionPool(
        connection_class=SimulatedConnection,
        max_connections=redis.connection_pool.max_connections,
        link=link,
        server=server,
        **{name: limits[name] for name in known},
    )
    return redis


class SimulatedConnection(AbstractConnection):
    """A connection of redis-py with its limits and errors, but for the socket and the encoding."""

    def __init__(self, *, link: Link, server: RedisServer, **options: Any) -> None:
        super().__init__(**options)
        self._link = link
        self._server = server
        self._stream: Connection | None = None
        self._inbox: deque[Any] = deque()
        self._reading: asyncio.Future[None] | None = None

    def repr_pieces(self) -> list[tuple[str, Any]]:
        """What tells it from others."""
        return [("simulated", True)]

    def _host_error(self) -> str:
        return "simulated"

    @property
    def is_connected(self) -> bool:
        """Whether it has been connected and not disconnected, as far as this side knows."""
        return self._stream is not None

    async def on_connect(self) -> None:
        """There is nothing to agree upon."""

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self.socket_connect_timeout):
                self._stream = await self._link.connect()
        except Refused as error:
            raise ConnectionRefusedError(str(error)) from None
        self._inbox.clear()
        context = copy_context()
        loop = asyncio.get_running_loop()
        self._stream.on_break.append(lambda: loop.call_soon(self._wake, context=context))

    async def disconnect(self, nowait: bool = False) -> None:
        """Hang up."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def pack_command(self, *args: Any) -> list[Any]:
        """The words of one command."""
        first = args[0].encode() if isinstance(args[0], str) else args[0]
        return [[*first.split(), *map(self.encoder.encode, args[1:])]]

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[Any]:
        """The words of many commands, to be sent in one packet."""
        return [words for command in commands for words in self.pack_command(*command)]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Put one packet on its way."""
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        elif check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        stream = self._stream
        if stream is None or not stream.open:
            await self.disconnect(nowait=True)
            raise RedisConnectionError("Error while writing to socket.")
        push = partial(self._push, stream)
        reply = stream.ask(lambda: self._server.serve_packet(stream, command, push))
        reply.add_done_callback(lambda done: self._arrived(stream, done))

    async def can_read_destructive(self) -> bool:
        """Whether something came that nobody asked for. Raises when the connection is gone."""
        if self._stream is None or not self._stream.open:
            raise RedisConnectionError("Connection closed by server.")
        return bool(self._inbox)

    async def read_response(
        self, disable_decoding: bool = False, timeout: float | None = None, *,
        disconnect_on_error: bool = True, push_request: bool | None = False,
    ) -> Any:  # fmt: skip
        """The next reply, or what was published."""
        try:
            async with asyncio.timeout(self.socket_timeout if timeout is None else timeout):
                response = await self._next()
        except TimeoutError:
            if timeout is not None:
                return None
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout reading from simulated") from None
        except BaseException:
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise
        if self.health_check_interval:
            now = asyncio.get_running_loop().time()
            self.next_health_check = now + self.health_check_interval
        if isinstance(response, ReplyError):
            raise self._parser.parse_error(str(response))  # type: ignore[no-untyped-call]
        return response

    async def _next(self) -> Any:
        while not self._inbox:
            if self._stream is None or not self._stream.open:
                raise RedisConnectionError("Connection closed by server.")
            self._reading = asyncio.get_running_loop().create_future()
            await self._reading
        return self._inbox.popleft()

    def _push(self, stream: Connection, message: Any) -> None:
        stream.tell(lambda: self._receive(stream, [message]))

    def _arrived(self, stream: Connection, reply: "asyncio.Future[list[Any]]") -> None:
        if reply.exception() is None:
            self._receive(stream, reply.result())

    def _receive(self, stream: Connection, messages: list[Any]) -> None:
        if stream is self._stream:
            self._inbox.extend(messages)
            self._wake()

    def _wake(self) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(None)
