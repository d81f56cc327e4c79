"""Redis connections that notice a dead peer, and the stand-in that the stock arq worker gets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import hiredis
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as ConnectionLost

from worker.errors import ConfigurationError

CronFunction = Callable[[dict[Any, Any]], Awaitable[None]]


def connect_redis(url: str) -> ArqRedis:
    """A lazily connected client whose limits keep a lost packet from hanging a worker for good."""
    redis = ArqRedis(connection_pool=_connection_pool(url))
    # A pool that was handed in would survive `aclose`, its connections with it.
    redis.auto_close_connection_pool = True
    return redis


async def check_redis(redis: ArqRedis) -> None:
    """Raise ConfigurationError with one clear line when Redis is unusable."""
    try:
        info = await redis.info("server")
    except Exception as error:
        text = str(error) or type(error).__name__
        raise ConfigurationError([f"REDIS_URL: Redis cannot be used: {text}"]) from error
    if tuple(int(p) for p in info["redis_version"].split(".")[:2]) < (6, 2):
        raise ConfigurationError(
            [f"Redis {info['redis_version']} is too old: 6.2 or later is needed"]
        )


class SupervisorRedis(ArqRedis):
    """What the stock arq worker sees of Redis: nothing that an outage could break.

    The stock loop ends the process at the first lost connection. Its queue is private to the
    process and holds nothing but its own cron jobs, so it needs no queue at all: when arq's cron
    says that a job is due, the job runs here and now.
    """

    def __init__(
        self, url: str, cron_functions: dict[str, CronFunction], ctx: dict[Any, Any]
    ) -> None:
        super().__init__(connection_pool=_connection_pool(url))
        self._cron_functions = cron_functions
        self._ctx = ctx
        self._running: set[asyncio.Task[None]] = set()

    async def enqueue_job(self, function: str, *_: Any, **__: Any) -> None:
        """Run the cron job in this process."""
        coroutine = self._cron_functions[function](self._ctx)
        task: asyncio.Task[None] = asyncio.ensure_future(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def zrangebyscore(self, *_: Any, **__: Any) -> list[bytes]:
        """No jobs: the queue is empty by design."""
        return []

    async def zcard(self, *_: Any, **__: Any) -> int:
        """No jobs: the queue is empty by design."""
        return 0

    async def psetex(self, *_: Any, **__: Any) -> None:
        """arq's health key is not kept: the row in `workers` says more, and says it per process."""

    async def delete(self, *_: Any, **__: Any) -> int:
        """There is no health key to delete."""
        return 0


class _Connection(AbstractConnection):
    """Packs in C, and knows that uvloop has an error of its own for a connection just closed."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """The command as bytes; the client's own way to them costs five times as much."""
        name = args[0].encode() if isinstance(args[0], str) else args[0]
        try:
            return [hiredis.pack_command((*name.split(), *args[1:]))]
        except TypeError:
            packed: list[bytes] = super().pack_command(*args)
            return packed

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Write a command. Raises redis's own error, whatever the loop calls it."""
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise ConnectionLost(f"Connection closed: {error}") from error


def _connection_pool(url: str) -> ConnectionPool:
    pool = ConnectionPool.from_url(
        url,
        max_connections=200,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        health_check_interval=10,
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
    )
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_Connection, kind), {})
    return pool
