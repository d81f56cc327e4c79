"""The asyncpg pool, and what counts as Postgres being away."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import orjson

from worker.errors import RecordUnavailable

Pool = asyncpg.Pool
Connection = asyncpg.Connection
Transaction = asyncpg.pool.PoolConnectionProxy
Answer = TypeVar("Answer")

COMMAND_TIMEOUT_SECONDS = 30.0
# What asyncpg raises when the server is gone, refuses us, or stops under us.
UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    # A statement on a connection whose end the server has announced and not yet made.
    asyncpg.InternalClientError,
)
# What opening a connection can raise besides: a wrong password, an unknown database.
REFUSED: tuple[type[Exception], ...] = (*UNAVAILABLE, asyncpg.PostgresError)
# Two batches that lock the same rows in a crossed order: the loser simply goes again.
TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


async def connect_pool(url: str, *, size: int = 10, behind_pooler: bool = False) -> Pool:
    """Open a pool of up to `size` connections; jsonb comes and goes as Python values.

    Raises RecordUnavailable when Postgres cannot be reached within five seconds.
    """
    try:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=_prepare_connection,
            reset=_keep_session,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            timeout=5.0,
            # A transaction pooler gives each transaction another server: nothing may be prepared.
            statement_cache_size=0 if behind_pooler else 256,
            max_inactive_connection_lifetime=60.0,
            server_settings={"application_name": "switchyard"} | _planner(behind_pooler),
        )
    except REFUSED as error:
        raise RecordUnavailable(f"Postgres cannot be reached: {describe(error)}") from error


@asynccontextmanager
async def unavailable_as_error() -> AsyncIterator[None]:
    """Turn a lost Postgres into RecordUnavailable, and leave other errors alone."""
    try:
        yield
    except UNAVAILABLE as error:
        # asyncpg has one class for a closed connection and for being called the wrong way.
        if isinstance(error, asyncpg.InterfaceError) and "clos" not in str(error):
            raise
        raise RecordUnavailable(f"Postgres cannot be reached: {describe(error)}") from error


async def fetch(pool: Pool, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """Run a statement, again when it lost a deadlock. Raises RecordUnavailable."""
    async with unavailable_as_error():
        while True:
            try:
                return await pool.fetch(sql, *arguments)
            except TRY_AGAIN:
                continue


async def atomically(pool: Pool, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
    """Run `work` in a transaction, anew when it lost a deadlock. Raises RecordUnavailable."""
    async with unavailable_as_error():
        while True:
            try:
                async with pool.acquire() as connection, connection.transaction():
                    return await work(connection)
            except TRY_AGAIN:
                continue


def describe(error: BaseException) -> str:
    """The error in one line: its type, and its text when it has one."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _planner(behind_pooler: bool) -> dict[str, str]:
    # Every hot statement goes by index; a pooler accepts no settings at the start of a session.
    return {} if behind_pooler else {"jit": "off", "random_page_cost": "1.1"}


async def _keep_session(_: Any) -> None:
    """Nothing here changes a session, and the usual reset is a round trip after every statement."""


async def _prepare_connection(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=encode_json, decoder=orjson.loads, format="text"
        )


def encode_json(value: object) -> str:
    """JSON that jsonb accepts and orjson reads back.

    NUL and lone surrogates become question marks, integers past 64 bits hexadecimal text, and what
    JSON does not know its str().
    """
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:
        return json.dumps(_storable(value))
    return json.dumps(_storable(orjson.loads(text))) if "\\u0000" in text else text


def plain(text: str) -> str:
    """The text without what Postgres cannot store."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def _storable(value: object) -> object:
    match value:
        case None | bool():
            return value
        case int():
            # Decimal digits would take time that grows with their square.
            return value if value.bit_length() < 64 else hex(value)
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {plain(str(k)): _storable(v) for k, v in value.items()}
        case list() | tuple():
            return [_storable(v) for v in value]
        case _:
            return plain(str(value))
