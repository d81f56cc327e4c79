"""The command, run in this process on a database and a Redis of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import EMPTY, Servers, scratch_database
from worker.cli import main
from worker.database.pool import Pool, connect_pool


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON on its output."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Switchyard = Callable[..., Awaitable[Ran]]
Alone = Callable[..., Ran]


@pytest.fixture(scope="session")
async def shared_database_url(servers: Servers, template_database: str) -> AsyncIterator[str]:
    """One migrated database for all commands: making one takes longer than a command."""
    async with scratch_database(servers.database_url, template_database) as url:
        yield url


@pytest.fixture
async def record(shared_database_url: str) -> AsyncIterator[Pool]:
    """Connections to the database that the command uses; it is emptied after the test."""
    pool = await connect_pool(shared_database_url, size=2)
    yield pool
    await pool.execute(f"{EMPTY} DELETE FROM queue_controls;")
    await pool.close()


@pytest.fixture
def switchyard(
    record: Pool,
    shared_database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Switchyard:
    """Runs `switchyard <arguments>`."""
    monkeypatch.setenv("DATABASE_URL", shared_database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)

    async def run(*arguments: object) -> Ran:
        # In a thread, because a command has an event loop of its own.
        code = await asyncio.to_thread(_exit_code, [str(a) for a in arguments])
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return run


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Alone:
    """Runs `switchyard <arguments>` where no server is named anywhere."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)

    def run(*arguments: object) -> Ran:
        code = _exit_code([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return run


def _exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as left:
        return int(left.code or 0)
