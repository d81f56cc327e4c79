"""The one Redis and the one Postgres of a run, cleared for each measurement."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from redis.asyncio import Redis

from worker.embedded import EmbeddedServers

DATABASE = "bench_{}"


class Stage:
    """Hands out an empty Redis and an empty database, again and again."""

    def __init__(self, servers: EmbeddedServers) -> None:
        self.redis_url = servers.redis_url
        self.database_url = servers.database_url
        self.postgres_pid = cast(int, servers.postgres.pid)
        self.redis_pid = cast(int, servers.redis.pid)
        # Whatever joins this group ends with the servers, however this process ends.
        self.process_group = servers.redis.guard_pid
        self._server_url = servers.database_url
        self._numbers = count(1)
        self._database = ""

    async def clear(self) -> None:
        """Empty Redis, and a new database in place of the former one."""
        async with Redis.from_url(self.redis_url) as redis:
            await redis.flushall()
        former, self._database = self._database, DATABASE.format(next(self._numbers))
        connection = await asyncpg.connect(self._server_url)
        try:
            if former:
                await connection.execute(f"DROP DATABASE {former} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {self._database}")
        finally:
            await connection.close()
        self.database_url = urlunsplit(
            urlsplit(self._server_url)._replace(path=f"/{self._database}")
        )

    async def settle(self) -> None:
        """As after a minute of any production: the planner knows the tables."""
        await self.sql("ANALYZE")

    async def sql(self, statement: str, *arguments: Any) -> Any:
        """The first value that a statement answers."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    async def lua(self, script: str) -> int:
        """The number that a script answers."""
        async with Redis.from_url(self.redis_url) as redis:
            return int(await cast(Any, redis.eval(script, 0)))


@contextmanager
def stage() -> Iterator[Stage]:
    """Start the servers, and remove them at the end."""
    with EmbeddedServers() as servers:
        yield Stage(servers)
