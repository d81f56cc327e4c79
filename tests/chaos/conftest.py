"""One stack a scenario, on the servers that all tests share or on its own, and its random seed."""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.harness import Stack
from tests.chaos.proxy import Proxy
from worker.database.migrations import migrate
from worker.embedded import EmbeddedPostgres, EmbeddedRedis


@pytest.fixture
async def stack(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with Stack.opened(database_url, redis_url, tmp_path) as stack:
        yield stack


@pytest.fixture
async def mortal_redis(
    database_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Stack, EmbeddedRedis]]:
    """A stack with a Redis of its own."""
    with EmbeddedRedis() as redis:
        async with Stack.opened(database_url, redis.url, tmp_path) as stack:
            yield stack, redis


@pytest.fixture
async def mortal_postgres(
    redis_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Stack, EmbeddedPostgres]]:
    """A stack with a Postgres of its own."""
    with EmbeddedPostgres() as postgres:
        await migrate(postgres.url)
        async with Stack.opened(postgres.url, redis_url, tmp_path) as stack:
            yield stack, postgres


@pytest.fixture
async def redis_proxy(redis_url: str) -> AsyncIterator[Proxy]:
    """A way to Redis that can fail; processes take it when given its address."""
    async with Proxy.opened(redis_url) as proxy:
        yield proxy


@pytest.fixture
async def postgres_proxy(database_url: str) -> AsyncIterator[Proxy]:
    """A way to Postgres that can fail; processes take it when given its address."""
    async with Proxy.opened(database_url) as proxy:
        yield proxy


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Randomness that CHAOS_SEED repeats; a run that fails shows its seed."""
    seed = os.environ.get("CHAOS_SEED") or str(random.randrange(2**32))
    print(f"CHAOS_SEED={seed}")  # noqa: T201
    return random.Random(f"{seed}:{request.node.name}")
