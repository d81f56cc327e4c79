"""Redis killed, frozen, full, flushed, demoted, or out of reach, while work flows."""

import asyncio

import pytest

from tests.chaos.faults import frozen
from tests.chaos.harness import Stack
from tests.chaos.ordeal import note, ordeal
from tests.chaos.processes import until
from tests.chaos.proxy import Proxy
from worker.embedded import EmbeddedRedis
from worker.jobs.ring import queue_keys

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

WITHIN = 15.0
Mortal = tuple[Stack, EmbeddedRedis]


@pytest.mark.parametrize("seconds", [2, 60])
async def test_killed_for(mortal_redis: Mortal, seconds: int) -> None:
    stack, redis = mortal_redis
    # What gathered in a minute has to be done as well.
    within = WITHIN + seconds / 4
    async with ordeal(stack, f"Redis killed for {seconds} s", within=within) as under:
        await asyncio.sleep(2)
        redis.kill()
        used = [worker.cpu_seconds() for worker in under.workers]
        await asyncio.sleep(seconds)
        for before, worker in zip(used, under.workers, strict=True):
            assert worker.cpu_seconds() - before < 1.0 + 0.2 * seconds
        redis.start()
        under.heal()
    assert under.all_accepted


async def test_killed_and_killed_again(mortal_redis: Mortal) -> None:
    stack, redis = mortal_redis
    async with ordeal(stack, "Redis killed 10 times for 1 s", within=WITHIN) as under:
        for _ in range(10):
            redis.kill()
            await asyncio.sleep(1)
            redis.start()
            await asyncio.sleep(1)
        under.heal()
    assert under.all_accepted


async def test_flushed_with_5000_waiting_and_50_running(stack: Stack) -> None:
    for _ in range(3):
        await stack.worker()
    await stack.warm()
    await stack.add("gated", count=50)
    await stack.running(50)
    await stack.add("effects", {"steps": 1}, count=5000)
    await stack.redis.flushdb()
    flushed_at = asyncio.get_running_loop().time()

    async def leased_again() -> bool:
        return await stack.size(queue_keys("work").owners) >= 50

    await until(leased_again, 10.0)
    stack.open_gate()
    await stack.settled(timeout=45)
    took = asyncio.get_running_loop().time() - flushed_at
    assert await stack.count("attempt = 1 AND crashes = 0") == await stack.count("true")
    await stack.check_quiet()
    await stack.stop()
    await stack.check()
    note("Redis flushed with 5 000 waiting, 50 running", "all done within 45 s, none twice",
         f"{took:.1f} s")  # fmt: skip


async def test_out_of_memory_for_10_seconds(mortal_redis: Mortal) -> None:
    stack, _ = mortal_redis
    async with ordeal(stack, "Redis out of memory for 10 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        await stack.redis.config_set("maxmemory", "1")
        await asyncio.sleep(10)
        await stack.redis.config_set("maxmemory", "0")
        under.heal()
    assert under.all_accepted


async def test_frozen_for_20_seconds(mortal_redis: Mortal) -> None:
    stack, redis = mortal_redis
    async with ordeal(stack, "Redis frozen for 20 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        with frozen(redis):
            await asyncio.sleep(20)
        under.heal()
    assert under.all_accepted


async def test_demoted_to_a_replica_for_10_seconds(mortal_redis: Mortal) -> None:
    stack, _ = mortal_redis
    async with ordeal(stack, "Redis demoted to a replica for 10 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        await stack.redis.replicaof("127.0.0.1", "1")
        await asyncio.sleep(10)
        await stack.redis.replicaof("NO", "ONE")
        under.heal()
    assert under.all_accepted


@pytest.fixture
def distant(stack: Stack, redis_proxy: Proxy) -> tuple[Stack, Proxy]:
    """A stack whose processes reach Redis by way of the proxy only."""
    stack.variables["REDIS_URL"] = redis_proxy.url
    return stack, redis_proxy


async def test_black_holed_for_20_seconds(distant: tuple[Stack, Proxy]) -> None:
    stack, proxy = distant
    async with ordeal(stack, "Redis black-holed for 20 s", within=WITHIN) as under:
        await asyncio.sleep(1)
        proxy.swallow()
        await asyncio.sleep(20)
        proxy.heal()
        under.heal()
    assert under.all_accepted


async def test_reset_every_200_ms_for_30_seconds(distant: tuple[Stack, Proxy]) -> None:
    stack, proxy = distant
    async with ordeal(stack, "Redis RST every 200 ms for 30 s", within=WITHIN) as under:
        await proxy.reset_every(0.2, 30)
        under.heal()
    assert under.all_accepted


async def test_refusing_and_slow(distant: tuple[Stack, Proxy]) -> None:
    stack, proxy = distant
    async with ordeal(stack, "Redis refusing 5 s, then 300 ms away", within=WITHIN) as under:
        await proxy.refuse()
        await asyncio.sleep(5)
        proxy.heal()
        proxy.delay = 0.3
        await asyncio.sleep(10)
        proxy.heal()
        under.heal()
    assert under.all_accepted
