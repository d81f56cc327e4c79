"""What stops a worker from starting, and what one that runs shows of itself."""

import signal

import aiohttp
import pytest

from tests.chaos.harness import Stack, free_port
from tests.support import eventually

CONFIGURATION_EXIT = 2
NOWHERE = "postgresql://app@127.0.0.1:1/none"
METRICS = (
    'jobs_processed_total{queue="noop",status="completed"}',
    'job_duration_seconds_bucket{le="0.001",queue="noop"}',
    'queue_size{queue="noop",status="queued"}',
    'job_queue_wait_seconds_count{queue="noop"}',
    'oldest_job_age_seconds{queue="noop"}',
    'dead_letter_jobs{queue="noop"}',
    'jobs_in_progress{queue="work"}',
    "worker_last_heartbeat_timestamp_seconds",
    'jobs_retried_total{queue="ends"}',
)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DATABASE_URL": "", "REDIS_URL": ""}, ["DATABASE_URL is required",
                                                 "REDIS_URL is required"]),
        ({"DATABASE_URL": NOWHERE, "REDIS_URL": "redis://127.0.0.1:1/0"},
         ["DATABASE_URL: Postgres cannot be reached", "REDIS_URL: Redis cannot be used"]),
        ({"LOG_LEVEL": "loud", "HEALTH_CHECK_PORT": "none", "WORKER_QUEUES": "nosuch"},
         ["HEALTH_CHECK_PORT: ", "LOG_LEVEL: "]),
        ({"WORKER_QUEUES": "nosuch,neither"}, ["WORKER_QUEUES: no queue 'nosuch'",
                                               "WORKER_QUEUES: no queue 'neither'"]),
    ],
    ids=["nothing given", "nobody there", "malformed", "unknown queues"],
)  # fmt: skip
async def test_a_worker_that_cannot_start_says_why(
    stack: Stack, variables: dict[str, str], expected: list[str]
) -> None:
    await refused(stack, expected, **variables)


async def test_a_worker_on_an_old_schema_says_so(stack: Stack, empty_database_url: str) -> None:
    await refused(
        stack, ["the database schema is old: run `switchyard migrate`"],
        DATABASE_URL=empty_database_url,
    )  # fmt: skip


async def test_a_worker_whose_health_port_is_taken_says_so(stack: Stack) -> None:
    port = str(free_port())
    first = await stack.worker(HEALTH_CHECK_PORT=port)
    await refused(stack, ["HEALTH_CHECK_PORT: "], HEALTH_CHECK_PORT=port)
    await first.stop()


async def test_the_health_server_of_a_worker(stack: Stack) -> None:
    port = free_port()
    worker = await stack.worker(HEALTH_CHECK_PORT=str(port), CHAOS_HEARTBEAT="yes")
    await stack.add("noop", queue="noop", count=3)
    await stack.add("end", {"how": "failed"}, queue="ends")
    await stack.settled()
    await worker.logged("worker.heartbeat")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        health = await answer(http, "/health")
        assert health["status"] == "healthy"
        assert set(health) == {"status", "uptime", "timestamp"}
        assert (await answer(http, "/livez"))["status"] == "alive"
        assert (await answer(http, "/readyz"))["status"] == "ready"
        async with http.get("/metrics") as metrics:
            text = await metrics.text()
        assert [name for name in METRICS if name not in text] == []

        await stack.add("gated")
        await stack.running(1)
        worker.signal(signal.SIGTERM)
        await worker.logged("worker.stopping")
        assert (await answer(http, "/readyz", 503))["checks"] == {"process": "draining"}
        assert (await answer(http, "/health"))["status"] == "healthy"
    stack.open_gate()
    assert await worker.ended() == 0
    await stack.check()


async def refused(stack: Stack, expected: list[str], **variables: str) -> None:
    """It ends with code 2, one clear line for each problem, and nothing else."""
    process = stack.spawn("arq", "worker.WorkerSettings", **variables)
    assert await process.ended() == CONFIGURATION_EXIT, process.text
    lines = process.text.splitlines()
    assert len(lines) == len(expected), lines
    for line, problem in zip(lines, expected, strict=True):
        assert line.startswith(f"switchyard: {problem}")


async def answer(http: aiohttp.ClientSession, path: str, status: int = 200) -> dict[str, object]:
    """The document at that path."""

    async def got() -> dict[str, object]:
        async with http.get(path) as response:
            document: dict[str, object] = await response.json()
            assert response.status == status, document
            return document

    return await eventually(got, 2.0)
