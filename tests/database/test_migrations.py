"""Migrations: once each, by one process at a time, and never over a changed file."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from worker.database import migrations
from worker.database.migrations import available, check_schema, migrate
from worker.database.pool import connect_pool
from worker.errors import ConfigurationError, RecordUnavailable


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two small migrations."""
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (n int);")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (n int);")
    (tmp_path / "notes.sql").write_text("not a migration")
    return tmp_path


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    return {r["tablename"] for r in rows}


async def checked(url: str, directory: Path = migrations.DIRECTORY) -> None:
    pool = await connect_pool(url, size=1)
    try:
        await check_schema(pool, directory)
    finally:
        await pool.close()


def test_the_products_own_migrations_are_numbered_without_a_gap() -> None:
    assert [m.version for m in available()] == [*range(1, len(available()) + 1)]


async def test_a_fresh_database_gets_everything_once(empty_database_url: str) -> None:
    versions = [m.version for m in available()]
    assert await migrate(empty_database_url) == versions
    made = await tables(empty_database_url)
    assert {"projects", "webhook_events", "jobs", "job_attempts", "events", "workers"} <= made
    assert await migrate(empty_database_url) == []
    assert await tables(empty_database_url) == made
    await checked(empty_database_url)


async def test_of_five_at_once_one_migrates_and_the_others_wait(
    empty_database_url: str, directory: Path
) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url, directory) for _ in range(5)))
    assert sorted(applied) == [[], [], [], [], [1, 2]]


async def test_only_what_is_missing_is_applied(empty_database_url: str, directory: Path) -> None:
    await migrate(empty_database_url, directory)
    (directory / "0003_third.sql").write_text("CREATE TABLE third (n int);")
    assert await migrate(empty_database_url, directory) == [3]
    assert {"first", "second", "third"} <= await tables(empty_database_url)


async def test_a_changed_file_is_refused_before_anything_is_applied(
    empty_database_url: str, directory: Path
) -> None:
    await migrate(empty_database_url, directory)
    (directory / "0001_first.sql").write_text("CREATE TABLE first (n bigint);")
    (directory / "0003_third.sql").write_text("CREATE TABLE third (n int);")
    for attempt in (migrate, checked):
        with pytest.raises(ConfigurationError, match=r"0001_first\.sql was changed") as refused:
            await attempt(empty_database_url, directory)
        assert len(refused.value.problems) == 1
    assert "third" not in await tables(empty_database_url)


async def test_a_failing_migration_leaves_nothing_of_itself(
    empty_database_url: str, directory: Path
) -> None:
    (directory / "0002_second.sql").write_text("CREATE TABLE second (n int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database_url, directory)
    assert "second" not in await tables(empty_database_url)
    (directory / "0002_second.sql").write_text("CREATE TABLE second (n int);")
    assert await migrate(empty_database_url, directory) == [2]


async def test_an_empty_or_old_schema_is_refused_with_what_to_do(
    empty_database_url: str, directory: Path
) -> None:
    with pytest.raises(ConfigurationError) as empty:
        await checked(empty_database_url, directory)
    assert empty.value.problems == [
        "the database schema is old: run `switchyard migrate` (missing 1, 2)"
    ]
    await migrate(empty_database_url, directory)
    (directory / "0003_third.sql").write_text("SELECT 1;")
    with pytest.raises(ConfigurationError, match=r"switchyard migrate` \(missing 3\)"):
        await checked(empty_database_url, directory)


async def test_a_newer_schema_is_fine(empty_database_url: str, directory: Path) -> None:
    await migrate(empty_database_url, directory)
    (directory / "0002_second.sql").unlink()
    await checked(empty_database_url, directory)
    assert await migrate(empty_database_url, directory) == []


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3cret-pw@127.0.0.1:1/d", "postgresql:///d?host=/nowhere"]
)
async def test_an_unreachable_postgres_is_said_without_the_password(url: str) -> None:
    with pytest.raises(RecordUnavailable, match="Postgres cannot be reached") as away:
        await migrate(url)
    assert "s3cret-pw" not in str(away.value)
