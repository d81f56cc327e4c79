"""Origins, mirrors and a git server."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.git.origins import Origin
from tests.git.smart_http import GitServer
from worker.git import Mirrors, Snapshot


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mirrors"


@pytest.fixture
async def mirrors(root: Path) -> AsyncIterator[Mirrors]:
    mirrors = Mirrors(root, protocols=("file", "http"), fetch_timeout=20)
    yield mirrors
    await mirrors.close()


@pytest.fixture
async def server(origin: Origin) -> AsyncIterator[GitServer]:
    async with GitServer(origin.path).running() as server:
        yield server


@pytest.fixture
def generation(root: Path) -> Callable[[], Path]:
    """The directory of the repository in use for the project `p`."""
    return lambda: (root / "p" / "current").resolve(strict=True)


async def contents(snapshot: Snapshot) -> dict[str, bytes | None]:
    """Every file of a snapshot."""
    entries = await snapshot.entries()
    blobs = snapshot.read([entry.sha for entry in entries], max_bytes_each=2**20)
    return {
        entry.path: blob.data for entry, blob in zip(entries, [b async for b in blobs], strict=True)
    }
