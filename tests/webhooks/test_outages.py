"""Without Postgres nothing is promised; without Redis nothing is missed."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from tests.support import eventually
from tests.webhooks.service import Service, fresh, guid_of, serving
from webhooks import ringer
from worker.database.migrations import migrate
from worker.embedded import EmbeddedPostgres

NOBODY = "redis://127.0.0.1:1/0"


async def test_postgres_down_is_503_and_its_return_is_noticed(redis_url: str) -> None:
    with EmbeddedPostgres() as postgres:
        await migrate(postgres.url)
        async with serving(postgres.url, redis_url) as own:
            await own.enrol()
            await own.resources.pool.expire_connections()
            postgres.close()
            started = time.monotonic()
            answers = [await own.deliver(fresh()), await own.call("GET", "/api/jobs")]
            ready, alive = await own.call("GET", "/readyz"), await own.call("GET", "/livez")
            assert [a.status for a in answers] == [503, 503]
            assert {a.error["code"] for a in answers} == {"record_unavailable"}
            assert all(int(a.headers["Retry-After"]) > 0 for a in answers)
            assert (ready.status, alive.status) == (503, 200)
            assert time.monotonic() - started < 5


async def test_a_lost_connection_is_replaced(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        await own.enrol()
        await own.rows("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE datname = current_database()"
                       " AND pid <> pg_backend_pid()")  # fmt: skip
        accepted: bool = await eventually(lambda: _accepted(own))
        assert accepted


async def test_redis_down_changes_nothing_for_the_caller(database_url: str) -> None:
    async with serving(database_url, NOBODY) as own:
        await own.enrol()
        recorded = fresh()
        with capture_logs() as logs:
            answer = await own.deliver(recorded)
            ready, health = await own.call("GET", "/readyz"), await own.call("GET", "/health")
            await eventually(lambda: "ring.failed" in [line["event"] for line in logs])
        assert (answer.status, answer.body["accepted"]) == (202, True)
        assert answer.seconds < 1.0
        assert await own.counts() == (1, 1, 1)
        assert (ready.status, health.status) == (200, 200)
        assert "redis" in health.body["warnings"]
        [job] = await own.rows("SELECT state FROM jobs WHERE delivery_id = $1", guid_of(recorded))
        assert job["state"] == "queued"


async def test_a_redis_that_hangs_delays_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ringer, "RING_SECONDS", 0.2)
    connected = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, serving(database_url, f"redis://127.0.0.1:{port}/0") as own:
        await own.enrol()
        answers = [await own.deliver(fresh()) for _ in range(5)]
        await connected.wait()
        assert {a.status for a in answers} == {202}
        assert max(a.seconds for a in answers) < 1.0
        assert await own.counts() == (5, 5, 1)


async def _accepted(own: Service) -> bool:
    answer = await own.deliver(fresh())
    assert answer.status in (202, 503)
    return answer.status == 202
