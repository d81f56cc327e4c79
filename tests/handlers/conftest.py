"""A project to scan."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.handlers.scanning import Scanner
from worker.database.pool import Pool
from worker.redis_pool import connect_redis


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def scanner(pool: Pool, redis: Redis, tmp_path: Path) -> AsyncIterator[Scanner]:
    scanner = await Scanner.enrolled(pool, redis, tmp_path)
    yield scanner
    await scanner.resources.close()
