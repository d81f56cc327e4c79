"""A collector that listens, and tracing that sends at once."""

from collections.abc import AsyncIterator

import pytest

from tests.engine.conftest import log, redis
from tests.tracing.collector import Collector, collecting

__all__ = ["log", "redis"]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches go out soon, and past any proxy."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector on loopback."""
    async with collecting() as collector:
        yield collector
