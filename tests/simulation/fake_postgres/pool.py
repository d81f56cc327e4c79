"""The product's view of Postgres: a pool of connections whose statements are served in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.simulation.fake_postgres.record import Row
from tests.simulation.fake_postgres.server import BEGIN, COMMIT, ROLLBACK, PostgresServer
from tests.simulation.network import Broken, Connection, Link, Refused
from worker.database.pool import COMMAND_TIMEOUT_SECONDS

CONNECT_SECONDS = 5.0
CONNECTIONS = 10
LOST = "connection was closed in the middle of operation"


class Session:
    """One connection, as asyncpg shows it."""

    def __init__(self, connection: Connection, server: PostgresServer) -> None:
        self._connection = connection
        self._server = server

    async def fetch(self, sql: str, *arguments: Any, timeout: float | None = None) -> list[Row]:
        """The rows of a statement."""
        connection = self._connection
        try:
            async with asyncio.timeout(timeout or COMMAND_TIMEOUT_SECONDS):
                answer = await connection.ask(
                    lambda: self._server.serve(connection, sql, arguments)
                )
        except Broken:
            raise asyncpg.ConnectionDoesNotExistError(LOST) from None
        except BaseException:
            connection.close()
            raise
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    async def execute(self, sql: str, *arguments: Any, timeout: float | None = None) -> str:
        """Do a statement whose rows do not matter."""
        await self.fetch(sql, *arguments, timeout=timeout)
        return ""

    async def fetchrow(self, sql: str, *arguments: Any, timeout: float | None = None) -> Row | None:
        """The first row of a statement."""
        rows = await self.fetch(sql, *arguments, timeout=timeout)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: Any, timeout: float | None = None) -> Any:
        """The first value of a statement."""
        row = await self.fetchrow(sql, *arguments, timeout=timeout)
        return next(iter(row.values())) if row else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All statements of the block, or none of them."""
        await self.fetch(BEGIN)
        try:
            yield
        except BaseException:
            if self._connection.open:
                await self.fetch(ROLLBACK)
            raise
        await self.fetch(COMMIT)


class SimulatedPool:
    """What the product uses of asyncpg's pool, with its limits and its errors."""

    def __init__(self, link: Link, server: PostgresServer) -> None:
        self._link = link
        self._server = server
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Session]:
        """A connection for the block."""
        async with self._slots:
            connection = await self._connection()
            try:
                yield Session(connection, self._server)
            finally:
                if connection.open:
                    self._idle.append(connection)

    async def fetch(self, sql: str, *arguments: Any, timeout: float | None = None) -> list[Row]:
        """The rows of a statement."""
        async with self.acquire() as session:
            return await session.fetch(sql, *arguments, timeout=timeout)

    async def execute(self, sql: str, *arguments: Any, timeout: float | None = None) -> str:
        """Do a statement whose rows do not matter."""
        async with self.acquire() as session:
            return await session.execute(sql, *arguments, timeout=timeout)

    async def fetchrow(self, sql: str, *arguments: Any, timeout: float | None = None) -> Row | None:
        """The first row of a statement."""
        async with self.acquire() as session:
            return await session.fetchrow(sql, *arguments, timeout=timeout)

    async def fetchval(self, sql: str, *arguments: Any, timeout: float | None = None) -> Any:
        """The first value of a statement."""
        async with self.acquire() as session:
            return await session.fetchval(sql, *arguments, timeout=timeout)

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._link.connect()
        except Refused as error:
            raise ConnectionRefusedError(str(error)) from None
