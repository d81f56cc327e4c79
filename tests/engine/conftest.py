"""An engine in this process, on a database and a Redis that are empty at the start."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import structlog
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.chaos.app import QUEUES, REGISTRY, Trace
from tests.engine.scene import Scene
from worker.database.pool import Pool
from worker.engine.engine import Engine
from worker.redis_pool import connect_redis

OpenEngine = Callable[[], AbstractAsyncContextManager[Engine]]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A client of an empty Redis."""
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def nowhere() -> ArqRedis:
    """A client of a Redis that is not there."""
    return connect_redis("redis://127.0.0.1:1/0")


@pytest.fixture
def scene(pool: Pool, redis: ArqRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Jobs, and what came of them."""
    scene = Scene(pool, redis, tmp_path)
    monkeypatch.setenv("CHAOS_EFFECTS", str(scene.effects))
    monkeypatch.setenv("CHAOS_GATE", str(scene.gate))
    return scene


@pytest.fixture
def engine(pool: Pool, redis: ArqRedis) -> Engine:
    """An engine that was not started."""
    return new_engine(pool, redis)


@pytest.fixture
def running(pool: Pool, redis: ArqRedis) -> OpenEngine:
    """Opens an engine that runs until the end of the block."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Engine]:
        engine = new_engine(pool, redis)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop(5.0)

    return opened


@pytest.fixture
def log() -> Iterator[LogCapture]:
    """Every log line as a dictionary."""
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=before)


def new_engine(pool: Pool, redis: ArqRedis) -> Engine:
    """An engine with the handlers that misbehave."""
    return Engine(pool=pool, redis=redis, queues=QUEUES, registry=REGISTRY, make_context=Trace)
