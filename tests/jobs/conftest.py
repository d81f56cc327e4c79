"""A record and a Redis to test against, both empty at the start of each test."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.conftest import Servers, scratch_database
from worker.database.pool import Pool, connect_pool
from worker.jobs.ledger import Ledger
from worker.redis_pool import connect_redis

# A DELETE of a few rows takes a tenth of the time that TRUNCATE or a database a test would.
EMPTY = """
DELETE FROM events; DELETE FROM jobs; DELETE FROM webhook_events; DELETE FROM workers;
DELETE FROM projects;
"""


@pytest.fixture(scope="session")
async def shared_pool(servers: Servers, template_database: str) -> AsyncIterator[Pool]:
    """Connections to one migrated database for all tests of this process."""
    async with scratch_database(servers.database_url, template_database) as url:
        pool = await connect_pool(url, size=8)
        yield pool
        await pool.close()


@pytest.fixture
async def pool(shared_pool: Pool) -> AsyncIterator[Pool]:
    """The shared pool; whatever a test recorded is deleted after it."""
    yield shared_pool
    await shared_pool.execute(EMPTY)


@pytest.fixture
def ledger(pool: Pool) -> Ledger:
    """A ledger on the record."""
    return Ledger(pool)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    client = connect_redis(redis_url)
    yield client
    await client.aclose()
