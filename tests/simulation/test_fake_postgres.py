"""The simulated Postgres does what the real one does, statement by statement and to the letter."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from tests.simulation.calls import SCHEDULES, Calls
from tests.simulation.fake_postgres.record import Record, as_time
from tests.simulation.fake_postgres.scheduling import new_schedule
from tests.simulation.fake_postgres.server import STATEMENTS_SERVED
from worker.database.pool import Pool, connect_pool

BEGAN = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
CALLS = 600
TABLES = {
    "jobs": "jobs", "job_attempts": "attempts", "events": "events", "workers": "workers",
    "webhook_events": "deliveries", "queue_controls": "controls", "schedules": "schedules",
    "schedule_ticks": "ticks",
}  # fmt: skip
# Has `now()` of the statements and of the tables' defaults tell the time that the test sets.
CLOCK = """
CREATE SCHEMA clock;
CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('simulation.now')::timestamptz $$;
DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT table_name, column_name FROM information_schema.columns
             WHERE table_schema = 'public' AND column_default = 'now()' LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET DEFAULT clock.now()',
                       c.table_name, c.column_name);
    END LOOP;
END $$;
SET search_path = clock, public, pg_catalog;
"""


@pytest.fixture
async def real(database_url: str) -> AsyncIterator[Pool]:
    """One session on a database whose clock stands where it is told."""
    pool = await connect_pool(database_url, size=1)
    await pool.execute(CLOCK)
    yield pool
    pool.terminate()


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_statements_do_the_same_to_both(real: Pool, seed: int) -> None:
    now = BEGAN
    fake = Record(lambda: as_time(now) or 0)
    random = Random(seed)
    calls = Calls(random)
    await _prepare(real, fake, calls.projects[0], now)
    for number in range(CALLS):
        now += random.choice([timedelta(0), timedelta(milliseconds=100), timedelta(seconds=3),
                              timedelta(seconds=40), timedelta(microseconds=7)])  # fmt: skip
        await real.execute("SELECT set_config('simulation.now', $1, false)", now.isoformat())
        sql, arguments = calls.next(fake)
        name, run = STATEMENTS_SERVED[sql]
        expected = await real.fetch(sql, *arguments)
        answered = run(fake, *arguments)
        assert _rows(answered) == _rows(expected), (number, name, arguments)
        assert [[*r] for r in answered] == [[*r.keys()] for r in expected], name
        fake.moves.clear()
        await _same_tables(real, fake, f"call {number}: {name} {arguments}")
    assert calls.statements_called == set(STATEMENTS_SERVED) - calls.not_called


async def _prepare(real: Pool, fake: Record, project_id: UUID, now: datetime) -> None:
    await real.execute("SELECT set_config('simulation.now', $1, false)", now.isoformat())
    await real.execute(
        "INSERT INTO projects (id, name, repo_url, repository) VALUES ($1, 'p', 'u', 'acme/p')",
        project_id,
    )
    [row] = await real.fetch("SELECT * FROM projects")
    fake.projects[project_id] = dict(row) | {"created_at": as_time(row["created_at"])}
    for number, name in enumerate(SCHEDULES):
        first = now + timedelta(seconds=number)
        await real.execute(
            "INSERT INTO schedules (name, queue, kind, cron, next_tick) "
            "VALUES ($1, 'plain', 'obey', '* * * * *', $2)",
            name,
            first,
        )
        new_schedule(
            fake, name=name, queue="plain", kind="obey", cron="* * * * *", next_tick=as_time(first)
        )


async def _same_tables(real: Pool, fake: Record, moment: str) -> None:
    for table, name in TABLES.items():
        rows = getattr(fake, name).values()
        assert _rows(await real.fetch(f"SELECT * FROM {table}")) == _rows(rows), (moment, table)


def _rows(rows: Any) -> list[dict[str, Any]]:
    plain = [{k: _plain(k, v) for k, v in dict(r).items()} for r in rows]
    return sorted(plain, key=repr)


def _plain(column: str, value: Any) -> Any:
    """A value as both sides have it; what Postgres draws by chance is left out."""
    if column in ("event_id", "id") and isinstance(value, UUID) and value.version == 4:
        return "drawn"
    match value:
        case datetime():
            return as_time(value)
        case float():
            return round(value, 6)
        case list():
            return sorted(value, key=repr)
    return value
