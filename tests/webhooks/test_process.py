"""`python -m webhooks` as production runs it: its start, its refusals, its end."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.deliveries import SECRET
from tests.support import eventually
from tests.webhooks.service import environment, fresh, guid_of
from tests.webhooks.test_limits import head_of

NOBODY = "redis://127.0.0.1:1/0"


@asynccontextmanager
async def process(**variables: str) -> AsyncIterator[Process]:
    """The service as a process of its own, ended at the end."""
    surroundings = {n: v for n, v in os.environ.items() if n in ("PATH", "HOME", "TMPDIR")}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "webhooks", env=surroundings | variables, stderr=PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def started(running: Process) -> int:
    """The port, once it listens."""
    assert running.stderr is not None
    async with asyncio.timeout(20):
        line = json.loads(await running.stderr.readline())
    assert line["event"] == "web.started"
    return int(line["address"].rpartition(":")[2])


async def refusal(**variables: str) -> tuple[int | None, list[str]]:
    """The exit code and the lines of a process that cannot start."""
    async with process(**variables) as running:
        _, told = await asyncio.wait_for(running.communicate(), 20)
    return running.returncode, told.decode().splitlines()


async def test_a_stop_lets_requests_end_and_loses_nothing(database_url: str) -> None:
    recorded = fresh()
    async with process(**environment(database_url, NOBODY)) as running:
        port = await started(running)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + head_of(recorded))
        await reader.readuntil(b"}")
        running.send_signal(signal.SIGTERM)
        closed: bool = await eventually(lambda: _refused(port))
        assert closed
        writer.write(recorded.body)
        answer = await reader.read()
        writer.close()
        _, told = await asyncio.wait_for(running.communicate(), 20)
    assert answer.startswith(b"HTTP/1.1 202")
    assert b"Connection: close" in answer
    assert running.returncode == 0
    logs = [json.loads(line) for line in told.splitlines()]
    assert [line["event"] for line in logs] == ["webhook.ignored", "web.stopped"]
    assert logs[0]["correlation_id"] == logs[0]["delivery_id"] == guid_of(recorded)
    assert SECRET.encode() not in told
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM webhook_events") == 1
    await connection.close()


async def _refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False


async def test_every_problem_of_the_configuration_is_told() -> None:
    code, lines = await refusal(REDIS_URL="nonsense", ENVIRONMENT="moon")
    assert code == 2
    text = "\n".join(lines)
    for variable in ("DATABASE_URL", "REDIS_URL", "ENVIRONMENT", "GITHUB_WEBHOOK_SECRET"):
        assert variable in text
    assert "Traceback" not in text


async def test_a_postgres_that_is_away_is_told_in_one_line(redis_url: str) -> None:
    code, lines = await refusal(**environment("postgresql://x:hidden@127.0.0.1:1/x", redis_url))
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith("switchyard: DATABASE_URL")
    assert "hidden" not in lines[0]


async def test_an_old_schema_is_told_in_one_line(empty_database_url: str, redis_url: str) -> None:
    code, [line] = await refusal(**environment(empty_database_url, redis_url))
    assert code == 2
    assert "switchyard migrate" in line


async def test_a_port_in_use_is_told_in_one_line(database_url: str, redis_url: str) -> None:
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0)
    async with server:
        port = str(server.sockets[0].getsockname()[1])
        code, [line] = await refusal(**environment(database_url, redis_url, PORT=port))
    assert code == 2
    assert line.startswith("switchyard: PORT")
