"""One stack a scenario, on the servers that all tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.harness import Stack


@pytest.fixture
async def stack(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    async with Stack.opened(database_url, redis_url, tmp_path) as stack:
        yield stack
