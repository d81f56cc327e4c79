"""Redis or Postgres killed, restarted, flushed, or not told."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.chaos.harness import Stack, free_port
from tests.chaos.processes import Process, until
from worker.database.migrations import migrate
from worker.embedded import EmbeddedPostgres, EmbeddedRedis

SHORT_LEASE = {"CHAOS_LEASE_MS": "1500"}
SECRET = "a secret that only the tests know"
OUTAGE_SECONDS = 2.5
SLOTS = 20


@pytest.fixture
async def mortal_redis(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Stack, Any]]:
    """A stack with a Redis of its own."""
    with EmbeddedRedis() as redis:
        async with Stack.opened(database_url, redis.url, tmp_path) as stack:
            yield stack, redis


async def test_redis_killed_and_restarted(mortal_redis: tuple[Stack, EmbeddedRedis]) -> None:
    stack, redis = mortal_redis
    workers = [await stack.worker(), await stack.worker()]
    await stack.add("gated", count=2 * SLOTS)
    await stack.add("work", count=60)
    await stack.running(2 * SLOTS)
    redis.kill()
    used = [worker.cpu_seconds() for worker in workers]
    await asyncio.sleep(OUTAGE_SECONDS)
    stack.open_gate()
    await until(lambda: len(stack.effects()) >= 2 * SLOTS)
    for before, worker in zip(used, workers, strict=True):
        assert worker.cpu_seconds() - before < 0.2 * OUTAGE_SECONDS
    await until(partial(counted, stack, "state = 'completed'", 2 * SLOTS))
    redis.start()
    await stack.settled()
    assert await count(stack, "state = 'completed' AND attempt = 1 AND crashes = 0") == 100
    for worker in workers:
        await worker.stop()
    await stack.check()


async def test_redis_flushed(stack: Stack) -> None:
    workers = [await stack.worker(**SHORT_LEASE), await stack.worker(**SHORT_LEASE)]
    await stack.add("gated", count=2 * SLOTS)
    await stack.running(2 * SLOTS)
    await stack.add("work", count=1000)
    await stack.redis.flushdb()

    async def rung_again() -> bool:
        return int(await stack.redis.zcard("arq:queue:work")) == 2 * SLOTS + 1000

    await until(rung_again, 10.0)
    owned = [i async for i, _ in stack.redis.hscan_iter("arq:owners:work")]
    assert len(owned) == 2 * SLOTS
    stack.open_gate()
    await stack.settled()
    assert await count(stack, "state = 'completed' AND attempt = 1 AND crashes = 0") == 1040
    for worker in workers:
        await worker.stop()
    await stack.check()


async def test_postgres_killed_and_restarted(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedPostgres() as postgres:
        await migrate(postgres.url)
        async with Stack.opened(postgres.url, redis_url, tmp_path) as stack:
            worker = await stack.worker()
            async with service(stack) as (web, http):
                await enrol(http)
                await stack.add("gated", count=SLOTS)
                await stack.add("work", count=30)
                await stack.running(SLOTS)
                postgres.kill()
                stack.open_gate()
                await until(lambda: len(stack.effects()) == SLOTS)
                before = worker.cpu_seconds()
                for number in range(3):
                    assert await push(http, f"lost-{number}") == 503
                    await asyncio.sleep(0.3)
                assert worker.cpu_seconds() - before < 0.2
                postgres.start()

                async def accepted() -> bool:
                    return await push(http, "kept") == 202

                await until(accepted)
                await stack.settled()
                assert await count(stack, "state = 'completed' AND attempt = 1") == SLOTS + 31
                assert await deliveries(stack) == ["kept"]
                await worker.stop()
                await stack.check()
                assert "Traceback" not in web.text


async def test_a_push_accepted_without_redis_runs_after_it_returns(
    mortal_redis: tuple[Stack, EmbeddedRedis],
) -> None:
    stack, redis = mortal_redis
    worker = await stack.worker()
    async with service(stack) as (_, http):
        await enrol(http)
        redis.kill()
        asked = time.monotonic()
        assert await push(http, "unrung") == 202
        assert time.monotonic() - asked < 1.0
        assert await count(stack, "state = 'queued'") == 1
        redis.start()
        await stack.settled()
    await worker.stop()
    await stack.check()


async def test_jobs_that_nobody_rang_start_within_four_seconds(stack: Stack) -> None:
    worker = await stack.worker()
    await stack.add("work", count=50, ring=False)
    await stack.settled(timeout=4)
    await worker.stop()
    await stack.check()


@asynccontextmanager
async def service(stack: Stack) -> AsyncIterator[tuple[Process, aiohttp.ClientSession]]:
    """The web service as a process, and a client of it."""
    port = free_port()
    web = stack.spawn("python", "-m", "webhooks", PORT=str(port), GITHUB_WEBHOOK_SECRET=SECRET)
    await web.logged("web.started")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        yield web, http
    await web.stop()


async def enrol(http: aiohttp.ClientSession) -> None:
    """Make acme/shop known."""
    document = {
        "name": "Shop", "repository": "acme/shop", "repoUrl": "https://github.com/acme/shop.git",
    }  # fmt: skip
    async with http.post("/api/projects", json=document) as answer:
        assert answer.status == 201, await answer.text()


async def push(http: aiohttp.ClientSession, delivery_id: str) -> int:
    """Send a signed push; answers the status."""
    body = json.dumps(PUSH | {"after": hashlib.sha1(delivery_id.encode()).hexdigest()}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery_id,
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest(),
    }
    async with http.post("/api/webhooks/github", data=body, headers=headers) as answer:
        await answer.read()
        return answer.status


PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "1" * 40,
    "deleted": False,
    "created": False,
    "forced": False,
    "commits": [],
    "head_commit": {"id": "2" * 40},
    "repository": {
        "id": 17, "name": "shop", "full_name": "acme/shop", "default_branch": "main",
        "clone_url": "https://github.com/acme/shop.git",
    },
}  # fmt: skip


async def count(stack: Stack, condition: str) -> int:
    """How many jobs are in that condition."""
    return int(await stack.pool.fetchval(f"SELECT count(*) FROM jobs WHERE {condition}"))


async def counted(stack: Stack, condition: str, expected: int) -> bool:
    """Whether so many jobs are in that condition."""
    return await count(stack, condition) == expected


async def deliveries(stack: Stack) -> list[str]:
    """The deliveries in the record."""
    rows = await stack.pool.fetch("SELECT delivery_id FROM webhook_events ORDER BY 1")
    return [row["delivery_id"] for row in rows]
