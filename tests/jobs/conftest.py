"""A record and a Redis to test against, both empty at the start of each test."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from worker.database.pool import Pool
from worker.jobs.ledger import Ledger
from worker.redis_pool import connect_redis


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
