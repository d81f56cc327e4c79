"""A project to scan."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.handlers.scanning import Scanner
from worker.database.pool import Pool


@pytest.fixture
async def scanner(pool: Pool, tmp_path: Path) -> AsyncIterator[Scanner]:
    scanner = await Scanner.enrolled(pool, tmp_path)
    yield scanner
    await scanner.mirrors.close()
