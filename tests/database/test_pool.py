"""The pool: JSON both ways, a pooler in front, and a Postgres that is away."""

import json
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Servers
from tests.jobs.records import added, enrolled, row, running, started
from worker.database.pool import Pool, connect_pool, describe, encode_json, unavailable_as_error
from worker.database.queries import load, statements
from worker.errors import NotFound, RecordUnavailable
from worker.jobs.deliveries import Arrival, Deliveries
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Ledger
from worker.jobs.model import JobResult
from worker.jobs.projects import Projects
from worker.jobs.reading import JobQuery, JobReader


class Colour(Enum):
    """Something that JSON does not know."""

    RED = "red"


@pytest.fixture(scope="module")
async def server(servers: Servers) -> AsyncIterator[Pool]:
    """Connections to a database in which these tests write nothing."""
    pool = await connect_pool(servers.database_url, size=1)
    yield pool
    await pool.close()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANY_JSON)
def test_whatever_is_encoded_can_be_stored_and_read(value: object) -> None:
    text = encode_json(value)
    text.encode("utf-8")
    assert "\\u0000" not in text.replace("\\\\", "")
    assert "NaN" not in text or "NaN" in str(value)
    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": [1, 2.5, None, True, "é"]}, {"a": [1, 2.5, None, True, "é"]}),
        ("a\0b", "a?b"),
        ("a\ud800b", "a?b"),
        ({"k\0": {"\udfff": 1}}, {"k?": {"?": 1}}),
        (r"a\u0000b", r"a\u0000b"),
        ([2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
        (2**70, "0x400000000000000000"),
        ([float("nan"), float("inf")], [None, None]),
        ([2**70, float("nan"), True, None], ["0x400000000000000000", None, True, None]),
        (("x", "\0"), ["x", "?"]),
        ({1: "\ud800"}, {"1": "?"}),
        (UUID(int=1), str(UUID(int=1))),
        ([UUID(int=1), "\ud800"], [str(UUID(int=1)), "?"]),
        ({"c": {Colour.RED}}, {"c": str({Colour.RED})}),
    ],
)
async def test_a_value_survives_the_record(server: Pool, value: object, kept: object) -> None:
    assert await server.fetchval("SELECT $1::jsonb", value) == kept


async def test_everything_works_behind_a_transaction_pooler(database_url: str) -> None:
    pool = await connect_pool(database_url, size=3, behind_pooler=True)
    try:
        await live_through_a_job(pool)
        async with pool.acquire() as connection:
            assert await connection.fetch("SELECT * FROM pg_prepared_statements") == []
            assert connection.get_settings().application_name == "switchyard"
    finally:
        await pool.close()


async def live_through_a_job(pool: asyncpg.Pool) -> None:
    ledger, project_id = Ledger(pool), await enrolled(pool)
    [accepted] = await Deliveries(pool).accept([Arrival("d", "push", b"{}", {})])
    assert not accepted.duplicate
    job = await running(ledger, project_id=project_id, delivery_id="d")
    await ledger.retry_later(job, Failure("failed", "E", "m"), 0.0, ())
    job = await started(ledger, job.id)
    await ledger.complete(job, JobResult(True, "done"), ())
    assert (await row(pool, job.id))["state"] == "completed"
    assert (await JobReader(pool).get(job.id)).attempts[0].outcome == "failed"
    assert (await Projects(pool).get(project_id)).plan == "free"
    await added(ledger)


async def test_a_pool_tells_the_planner_that_indexes_are_cheap(server: Pool) -> None:
    assert await server.fetchval("SHOW random_page_cost") == "1.1"
    assert await server.fetchval("SHOW jit") == "off"


@pytest.mark.parametrize("path", ["/no_such_database", ""])
async def test_an_unusable_postgres_is_record_unavailable(path: str) -> None:
    url = f"postgresql://u:s3cret-pw@127.0.0.1:1{path}"
    with pytest.raises(RecordUnavailable, match="Postgres cannot be reached") as away:
        await connect_pool(url)
    assert "s3cret-pw" not in str(away.value)


async def test_an_unknown_database_is_record_unavailable(empty_database_url: str) -> None:
    missing = empty_database_url.replace("switchyard_test_", "switchyard_missing_")
    with pytest.raises(RecordUnavailable, match="does not exist"):
        await connect_pool(missing)


async def test_a_closed_pool_is_record_unavailable(servers: Servers) -> None:
    pool = await connect_pool(servers.database_url, size=1)
    await pool.close()
    with pytest.raises(RecordUnavailable):
        await JobReader(pool).page(JobQuery())


async def test_a_connection_that_postgres_ends_is_record_unavailable(servers: Servers) -> None:
    pool = await connect_pool(servers.database_url, size=1)
    try:
        with pytest.raises(RecordUnavailable):
            async with unavailable_as_error():
                await pool.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert await pool.fetchval("SELECT 1") == 1
    finally:
        await pool.close()


async def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(NotFound):
        async with unavailable_as_error():
            raise NotFound("x")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with unavailable_as_error():
            raise asyncpg.DivisionByZeroError("x")


def test_an_error_is_described_in_one_line() -> None:
    assert describe(ValueError("one\ntwo")) == "ValueError: one"
    assert describe(TimeoutError()) == "TimeoutError"


def test_the_statements_of_a_file_are_read_with_their_descriptions(tmp_path: Path) -> None:
    file = tmp_path / "x.sql"
    file.write_text("-- name: one\n-- The first.\nSELECT 1;\n\n-- name: two\n-- More.\nSELECT 2\n")
    assert [(s.name, s.description, s.sql) for s in statements(file)] == [
        ("one", "The first.", "SELECT 1"),
        ("two", "More.", "SELECT 2"),
    ]
    assert load(str(tmp_path / "x.py")).two == "SELECT 2"
