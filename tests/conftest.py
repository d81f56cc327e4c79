"""Real servers for every test: those of DATABASE_URL and REDIS_URL, or embedded ones.

A given Postgres only ever gets scratch databases, dropped afterwards. In a given Redis an empty
logical database is used, and left empty.
"""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis.asyncio

from worker.database.migrations import migrate
from worker.database.pool import Pool, atomically, connect_pool
from worker.embedded import EmbeddedPostgres, EmbeddedRedis

LOGICAL_DATABASES = 16
# A DELETE of a few rows takes a tenth of the time that TRUNCATE or a database a test would.
EMPTY = """
DELETE FROM events; DELETE FROM jobs; DELETE FROM webhook_events; DELETE FROM workers;
DELETE FROM projects; DELETE FROM schedules; DELETE FROM queue_controls; DELETE FROM credentials;
DO $$ BEGIN
    IF EXISTS (SELECT FROM organisations) THEN
        DELETE FROM feature_flags; DELETE FROM api_keys; DELETE FROM usage_batches;
        DELETE FROM usage_counters; DELETE FROM usage_history; DELETE FROM usage_periods;
        DELETE FROM usage_limits; DELETE FROM usage_thresholds; DELETE FROM automatic_actions;
        DELETE FROM notification_preferences; DELETE FROM notifications;
        DELETE FROM outgoing_endpoints; DELETE FROM outgoing_messages; DELETE FROM organisations;
    END IF;
    DELETE FROM usage_summaries;
    IF EXISTS (SELECT FROM audit_events) THEN
        BEGIN
            SET LOCAL session_replication_role = replica;
            DELETE FROM audit_events;
        EXCEPTION WHEN insufficient_privilege THEN
            ALTER TABLE audit_events DISABLE TRIGGER USER;
            DELETE FROM audit_events;
            ALTER TABLE audit_events ENABLE TRIGGER USER;
        END;
    END IF;
END $$;
"""


@dataclass(frozen=True)
class Servers:
    """Where the servers of this test process are."""

    database_url: str
    redis_url: str


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """One Postgres and one Redis for the whole test process."""
    with ExitStack() as stack:
        yield Servers(
            database_url=os.environ.get("DATABASE_URL")
            or stack.enter_context(EmbeddedPostgres()).url,
            redis_url=os.environ.get("REDIS_URL") or stack.enter_context(EmbeddedRedis()).url,
        )


@pytest.fixture(scope="session")
async def template_database(servers: Servers) -> AsyncIterator[str]:
    """The name of a migrated database that nobody connects to."""
    async with scratch_database(servers.database_url) as url:
        await migrate(url)
        yield database_name(url)


@pytest.fixture
async def database_url(servers: Servers, template_database: str) -> AsyncIterator[str]:
    """A fresh, migrated database for this test alone."""
    async with scratch_database(servers.database_url, template_database) as url:
        yield url


@pytest.fixture(scope="session")
async def shared_pool(servers: Servers, template_database: str) -> AsyncIterator[Pool]:
    """Connections to one migrated database for all tests of this process."""
    async with scratch_database(servers.database_url, template_database) as url:
        pool = await connect_pool(url, size=10)
        yield pool
        pool.terminate()


@pytest.fixture
async def pool(shared_pool: Pool) -> AsyncIterator[Pool]:
    """The shared pool; whatever a test recorded is deleted after it."""
    yield shared_pool
    # A statement of a handler that was cancelled may still be at work on the server: of two that
    # wait for each other one has to go again.
    await atomically(shared_pool, lambda connection: connection.execute(EMPTY))


@pytest.fixture
async def empty_database_url(servers: Servers) -> AsyncIterator[str]:
    """A fresh database without any table."""
    async with scratch_database(servers.database_url) as url:
        yield url


@pytest.fixture(scope="session")
async def redis_database_url(servers: Servers) -> str:
    """The first empty logical database of this test process's share."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for number in range(worker, LOGICAL_DATABASES, workers):
        url = with_logical_database(servers.redis_url, number)
        async with redis.asyncio.Redis.from_url(url) as client:
            if await client.dbsize() == 0:
                return url
    pytest.fail("REDIS_URL has no empty logical database to test in; flush one or give another")


@pytest.fixture
async def redis_url(redis_database_url: str) -> AsyncIterator[str]:
    """A Redis logical database that is empty at the start and emptied at the end."""
    # What lives as long as all the tests, such as a web service, may have left something.
    async with redis.asyncio.Redis.from_url(redis_database_url) as client:
        await client.flushdb()
        yield redis_database_url
        await client.flushdb()


@asynccontextmanager
async def scratch_database(server_url: str, template: str = "template1") -> AsyncIterator[str]:
    """Create a database beside the given one; yields its URL, and drops it."""
    name = f"switchyard_test_{uuid.uuid4().hex}"
    await _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        await _execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def database_name(url: str) -> str:
    """The database that a Postgres URL names."""
    return urlsplit(url).path.removeprefix("/")


def with_logical_database(url: str, number: int) -> str:
    """The same Redis server, another logical database."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return urlunsplit(parts._replace(query=f"db={number}"))
    return urlunsplit(parts._replace(path=f"/{number}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
