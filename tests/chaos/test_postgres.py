"""Postgres killed, frozen, full, without connections or out of reach, while work flows."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.faults import SmallDisk, ensure_running, exhausted, frozen, may_mount
from tests.chaos.harness import Stack
from tests.chaos.ordeal import ordeal
from tests.chaos.proxy import Proxy
from worker.database.migrations import migrate
from worker.embedded import EmbeddedPostgres

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

WITHIN = 20.0
DISK_MEGABYTES = 192
Mortal = tuple[Stack, EmbeddedPostgres]


async def test_restarted(mortal_postgres: Mortal) -> None:
    stack, postgres = mortal_postgres
    async with ordeal(stack, "Postgres restarted twice", within=WITHIN) as under:
        for _ in range(2):
            await asyncio.sleep(1)
            await asyncio.to_thread(postgres.restart)
        under.heal()


async def test_killed_for_10_seconds(mortal_postgres: Mortal) -> None:
    stack, postgres = mortal_postgres
    async with ordeal(stack, "Postgres killed for 10 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        await asyncio.to_thread(postgres.kill)
        used = [worker.cpu_seconds() for worker in under.workers]
        await asyncio.sleep(10)
        for before, worker in zip(used, under.workers, strict=True):
            assert worker.cpu_seconds() - before < 3.0
        await asyncio.to_thread(postgres.start)
        under.heal()
    assert 503 in under.statuses


async def test_frozen_for_20_seconds(mortal_postgres: Mortal) -> None:
    stack, postgres = mortal_postgres
    async with ordeal(stack, "Postgres frozen for 20 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        with frozen(postgres):
            await asyncio.sleep(20)
        under.heal()


async def test_out_of_connections_for_10_seconds(mortal_postgres: Mortal) -> None:
    stack, postgres = mortal_postgres
    async with ordeal(stack, "Postgres out of connections", within=WITHIN) as under:
        await asyncio.sleep(1)
        async with exhausted(postgres.url):
            await asyncio.sleep(10)
        under.heal()


@pytest.mark.skipif(not may_mount(), reason="mounting a tmpfs needs root")
async def test_disk_full_for_10_seconds(redis_url: str, tmp_path: Path) -> None:
    postgres = EmbeddedPostgres()
    disk = SmallDisk(postgres, DISK_MEGABYTES)
    try:
        with postgres:
            await migrate(postgres.url)
            async with Stack.opened(postgres.url, redis_url, tmp_path) as stack:
                await fill_the_disk(stack, postgres, disk)
    finally:
        disk.close()


async def fill_the_disk(stack: Stack, postgres: EmbeddedPostgres, disk: SmallDisk) -> None:
    """Postgres may end by itself when it cannot write; then somebody has to start it again."""
    async with ordeal(stack, "Postgres's disk full for 10 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        disk.fill()
        await asyncio.sleep(10)
        disk.empty()
        await ensure_running(postgres)
        under.heal()
    assert 503 in under.statuses


@pytest.fixture
def distant(stack: Stack, postgres_proxy: Proxy) -> tuple[Stack, Proxy]:
    """A stack whose processes reach Postgres by way of the proxy only."""
    stack.variables["DATABASE_URL"] = postgres_proxy.url
    return stack, postgres_proxy


async def test_black_holed_for_20_seconds(distant: tuple[Stack, Proxy]) -> None:
    stack, proxy = distant
    async with ordeal(stack, "Postgres black-holed for 20 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        proxy.swallow()
        await asyncio.sleep(20)
        proxy.heal()
        under.heal()


async def test_reset_every_200_ms_for_30_seconds(distant: tuple[Stack, Proxy]) -> None:
    stack, proxy = distant
    async with ordeal(stack, "Postgres RST every 200 ms for 30 s", within=WITHIN) as under:
        await proxy.reset_every(0.2, 30)
        under.heal()


async def test_refusing_and_slow(distant: tuple[Stack, Proxy]) -> None:
    stack, proxy = distant
    async with ordeal(stack, "Postgres refusing 5 s, then 300 ms away", within=WITHIN) as under:
        await proxy.refuse()
        await asyncio.sleep(5)
        proxy.heal()
        proxy.delay = 0.3
        await asyncio.sleep(10)
        proxy.heal()
        under.heal()
