"""Allowances: exact by Redis's clock, shared by all, and quickly given up when Redis is away."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.chaos.proxy import Proxy
from tests.support import eventually
from worker.errors import LimitUnavailable
from worker.metrics import REGISTRY
from worker.rates import Rates
from worker.redis_pool import connect_redis

LONG = 100_000.0
Check = Callable[[], bool | Awaitable[bool]]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def proxied(redis_url: str) -> AsyncIterator[tuple[Redis, Proxy]]:
    """A client whose way to Redis can be cut."""
    async with Proxy.opened(redis_url) as proxy:
        client = connect_redis(proxy.url)
        await client.ping()
        yield client, proxy
        await client.aclose()


def patient(redis: Redis) -> Rates:
    """Rates that a busy machine does not take for an outage."""
    return Rates(redis, patience=5.0)


async def passed(redis: Redis, key: str, seconds: float) -> None:
    """As if so much time had passed since an allowance was taken from."""
    full_at = await redis.get(key)
    if full_at is not None:
        await redis.set(key, f"{float(full_at) - seconds * 1e6:.2f}", keepttl=True)


async def test_as_many_as_are_allowed_and_no_more(redis: Redis) -> None:
    rates = patient(redis)
    taken = [await rates.take("usage", "acme", 5, LONG) for _ in range(7)]
    assert [t.allowed for t in taken] == [True] * 5 + [False] * 2
    assert [t.remaining for t in taken] == [4, 3, 2, 1, 0, 0, 0]
    assert {t.limit for t in taken} == {5}
    assert taken[0].reset == pytest.approx(LONG / 5, abs=5)
    assert taken[-1].reset == pytest.approx(LONG, abs=5)
    assert taken[-1].retry_after == pytest.approx(LONG / 5, abs=5)
    assert {t.retry_after for t in taken[:5]} == {0.0}


async def test_a_refusal_takes_nothing(redis: Redis) -> None:
    rates = patient(redis)
    for _ in range(3):
        await rates.take("usage", "acme", 3, LONG)
    before = await redis.get("rate:usage:acme")
    for _ in range(10):
        assert not (await rates.take("usage", "acme", 3, LONG)).allowed
    assert await redis.get("rate:usage:acme") == before


async def test_they_come_back_evenly(redis: Redis) -> None:
    rates = patient(redis)
    for _ in range(4):
        await rates.take("usage", "acme", 4, LONG)
    await passed(redis, "rate:usage:acme", LONG / 4 - 60)
    assert not (await rates.take("usage", "acme", 4, LONG)).allowed
    await passed(redis, "rate:usage:acme", 60)
    assert [(await rates.take("usage", "acme", 4, LONG)).allowed for _ in range(2)] == [True, False]
    await passed(redis, "rate:usage:acme", 10 * LONG)
    rested = [await rates.take("usage", "acme", 4, LONG) for _ in range(5)]
    assert [t.allowed for t in rested] == [True] * 4 + [False]


async def test_real_time_gives_them_back(redis: Redis) -> None:
    rates = patient(redis)
    assert (await rates.take("usage", "acme", 1, 0.1)).allowed
    refused = await rates.take("usage", "acme", 1, 0.1)
    began = time.monotonic()

    assert await eventually(answering(rates, 1, 0.1), interval=0.002)
    assert refused.allowed or time.monotonic() - began >= refused.retry_after - 0.02


async def test_names_and_keys_have_allowances_of_their_own(redis: Redis) -> None:
    rates = patient(redis)
    for name, key in (("usage", "a"), ("usage", "b"), ("checks", "a")):
        assert (await rates.take(name, key, 1, LONG)).allowed
        assert not (await rates.take(name, key, 1, LONG)).allowed


async def test_several_at_once_are_taken_together_or_not_at_all(redis: Redis) -> None:
    rates = patient(redis)
    assert (await rates.take("usage", "acme", 10, LONG, cost=7)).remaining == 3
    refused = await rates.take("usage", "acme", 10, LONG, cost=4)
    assert (refused.allowed, refused.remaining) == (False, 3)
    assert refused.retry_after == pytest.approx(LONG / 10, abs=5)
    assert (await rates.take("usage", "acme", 10, LONG, cost=3)).remaining == 0


async def test_a_crowd_in_several_processes_gets_exactly_what_there_is(redis: Redis) -> None:
    several = [patient(redis) for _ in range(4)]
    taken = await asyncio.gather(
        *(several[n % 4].take("usage", f"k{n % 3}", 50, LONG) for n in range(600))
    )
    allowed = [sum(t.allowed for t in taken[k::3]) for k in range(3)]
    assert allowed == [50, 50, 50]


async def test_any_sequence_keeps_to_the_rate(redis: Redis) -> None:
    """Beside a bucket that is filled by hand: what it has is given, and nothing else."""
    rates, chance = patient(redis), random.Random(7)
    for run in range(15):
        count, key = chance.randint(1, 40), f"run-{run}"
        level = float(count)
        for _ in range(20):
            seconds, cost = (
                chance.random() * LONG * 2 / count,
                chance.randint(1, max(1, count // 3)),
            )
            await passed(redis, f"rate:usage:{key}", seconds)
            level = min(count, level + seconds * count / LONG)
            taken = await rates.take("usage", key, count, LONG, cost)
            if abs(level - cost) > 0.05:  # the test itself takes a moment
                assert taken.allowed == (level >= cost), (count, level, cost)
            if taken.allowed:
                level -= cost
            assert 0 <= taken.remaining <= level + 0.05
            assert (taken.retry_after > 0) == (not taken.allowed)


async def test_fine_rates_do_not_drift(redis: Redis) -> None:
    rates = patient(redis)
    assert (await rates.take("usage", "a", 7_000_000, 60, cost=7_000_000)).allowed
    refused = await rates.take("usage", "a", 7_000_000, 60, cost=700_000)
    assert refused.retry_after == pytest.approx(6, abs=1)


async def test_a_clock_that_is_set_back_locks_nobody_out(redis: Redis) -> None:
    rates = patient(redis)
    await rates.take("usage", "acme", 2, 60)
    await passed(redis, "rate:usage:acme", -86_400)
    refused = await rates.take("usage", "acme", 2, 60)
    assert not refused.allowed
    assert refused.retry_after <= 30


async def test_what_is_unused_is_forgotten(redis: Redis) -> None:
    rates = patient(redis)
    await rates.take("usage", "acme", 10, 60)
    assert 0 < await redis.pttl("rate:usage:acme") <= 6001


async def test_a_limit_that_is_changed_holds_at_once(redis: Redis) -> None:
    rates = patient(redis)
    for _ in range(10):
        await rates.take("usage", "acme", 100, LONG)
    assert (await rates.take("usage", "acme", 10, LONG)).remaining == 8
    for _ in range(8):
        assert (await rates.take("usage", "acme", 10, LONG)).allowed
    assert not (await rates.take("usage", "acme", 10, LONG)).allowed


async def test_a_redis_that_refuses_is_noticed_and_told_once(
    proxied: tuple[Redis, Proxy],
) -> None:
    redis, proxy = proxied
    rates = Rates(redis, patience=5.0, outage=0.0)
    await rates.take("usage", "acme", 10, LONG)
    before = _counted("usage")
    await proxy.refuse()
    with capture_logs() as logs:
        for _ in range(3):
            await _unavailable(rates)
    assert [line["event"] for line in logs] == ["rates.unavailable"]
    assert _counted("usage") - before == 3
    proxy.heal()
    assert await eventually(answering(rates))


async def test_a_redis_that_hangs_keeps_nobody_for_long(proxied: tuple[Redis, Proxy]) -> None:
    redis, proxy = proxied
    rates = Rates(redis, patience=0.2, outage=30.0)
    assert await eventually(answering(rates))
    proxy.swallow()
    waits = await asyncio.gather(*(_unavailable(rates) for _ in range(500)))
    assert max(waits) < 1.0  # 0.2, and room for a busy machine
    # From now on nobody waits at all, nor is Redis asked.
    assert max(await asyncio.gather(*(_unavailable(rates) for _ in range(500)))) < 0.2
    proxy.heal()
    assert await _unavailable(rates) < 0.1


async def test_after_an_outage_it_is_tried_again(proxied: tuple[Redis, Proxy]) -> None:
    redis, proxy = proxied
    rates = Rates(redis, patience=0.2, outage=0.01)
    assert await eventually(answering(rates))
    proxy.swallow()
    await _unavailable(rates)
    proxy.heal()
    assert await eventually(answering(rates))


async def test_a_process_that_was_held_up_itself_asks_again(redis: Redis) -> None:
    rates = Rates(redis, patience=0.2)
    assert await eventually(answering(rates))
    await redis.client_pause(100)
    taking = asyncio.create_task(rates.take("usage", "acme", 10, LONG))
    for _ in range(100):
        await asyncio.sleep(0)  # by now it has asked
    time.sleep(0.4)  # noqa: ASYNC251  the stall itself: Redis has long answered at its end
    assert (await taking).limit == 10


async def test_a_redis_that_answers_with_an_error_is_away(redis: Redis) -> None:
    rates = patient(redis)
    await redis.hset("rate:usage:acme", "not", "a number")  # type: ignore[misc]
    with pytest.raises(LimitUnavailable, match="while Redis is away"):
        await rates.take("usage", "acme", 10, LONG)


async def _unavailable(rates: Rates) -> float:
    """How long it took to be told."""
    began = time.monotonic()
    with pytest.raises(LimitUnavailable):
        await rates.take("usage", "acme", 10, LONG)
    return time.monotonic() - began


def answering(rates: Rates, count: int = 10_000, seconds: float = LONG) -> Check:
    """Whether an allowance can be taken from at the moment."""

    async def answers() -> bool:
        with suppress(LimitUnavailable):
            return (await rates.take("usage", "acme", count, seconds)).allowed
        return False

    return answers


def _counted(call: str) -> float:
    return REGISTRY.get_sample_value("rate_limits_unavailable_total", {"call": call}) or 0.0
