"""The fake GitHub, and an office that reports to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from tests.github.fake import App, FakeGitHub
from tests.github.office import Office
from worker.database.pool import Pool
from worker.redis_pool import connect_redis


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A client of an empty Redis."""
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def known_app() -> App:
    """An App; making its key takes a while."""
    return App(
        "77", {"checks": "write", "statuses": "write", "contents": "read", "metadata": "read"}
    )


@pytest.fixture(scope="session")
def known_key() -> str:
    """A private key that is no App's."""
    return App("78", {}).pem


@pytest.fixture
async def fake(known_app: App) -> AsyncIterator[FakeGitHub]:
    """GitHub. A test that made it complain of anything has failed, unless it forgave that."""
    async with FakeGitHub().serving() as fake:
        known_app.installations.clear()
        known_app.hook.reset()
        fake.company.apps[known_app.id] = known_app
        yield fake
        assert not fake.limits.violations
        assert not fake.problems


@pytest.fixture
async def office(
    pool: Pool, redis: ArqRedis, fake: FakeGitHub, tmp_path: Path
) -> AsyncIterator[Office]:
    """An enrolled project."""
    office = await Office.furnished(pool, redis, fake, tmp_path)
    yield office
    await office.close()
