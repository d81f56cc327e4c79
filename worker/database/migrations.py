"""Applies the numbered SQL files of `migrations/`, once each, in order, one process at a time."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from worker.database.pool import REFUSED, describe
from worker.errors import ConfigurationError, RecordUnavailable

DIRECTORY = Path(__file__).with_name("migrations")
# Any constant will do: it only has to differ from other programs' locks in the same database.
_LOCK = 0x5357_5943_4844
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version int PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_name.sql`."""

    version: int
    path: Path

    @property
    def sql(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def available(directory: Path = DIRECTORY) -> list[Migration]:
    """Every migration file, lowest version first."""
    files = sorted(directory.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [Migration(int(f.name[:4]), f) for f in files]


async def migrate(url: str, directory: Path = DIRECTORY) -> list[int]:
    """Apply what is missing and answer the versions applied.

    Each file is one transaction. An advisory lock lets one process migrate while others wait.
    Raises ConfigurationError when an applied file was changed since, RecordUnavailable when
    Postgres cannot be reached.
    """
    connection = await _connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        applied = await _applied(connection)
        _refuse_drift(applied, available(directory))
        missing = [m for m in available(directory) if m.version not in applied]
        for migration in missing:
            await _apply(connection, migration)
        return [m.version for m in missing]
    finally:
        await connection.close()


async def check_schema(pool: Any, directory: Path = DIRECTORY) -> None:
    """Raise ConfigurationError unless the database has exactly this program's schema or newer."""
    exists = await pool.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    applied = await _applied(pool) if exists else {}
    _refuse_drift(applied, available(directory))
    missing = [str(m.version) for m in available(directory) if m.version not in applied]
    if missing:
        raise ConfigurationError(
            [f"the database schema is old: run `switchyard migrate` (missing {', '.join(missing)})"]
        )


async def _connect(url: str) -> Any:
    try:
        return await asyncpg.connect(url, timeout=10)
    except REFUSED as error:
        raise RecordUnavailable(f"Postgres cannot be reached: {describe(error)}") from error


async def _applied(connection: Any) -> dict[int, str]:
    rows = await connection.fetch("SELECT version, checksum FROM schema_migrations")
    return {row["version"]: row["checksum"] for row in rows}


async def _apply(connection: Any, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)",
            migration.version,
            migration.checksum,
        )


def _refuse_drift(applied: dict[int, str], files: list[Migration]) -> None:
    drifted = [m.path.name for m in files if applied.get(m.version, m.checksum) != m.checksum]
    if drifted:
        raise ConfigurationError(
            [
                f"migration {name} was changed after it was applied: restore it and add a new one"
                for name in drifted
            ]
        )
