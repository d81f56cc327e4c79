"""The limits that all workers keep together, on a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from arq.connections import ArqRedis

from worker.github.errors import Limited
from worker.github.limits import Allowance, Limits, Turn
from worker.redis_pool import connect_redis


@pytest.fixture
async def other(redis_url: str) -> AsyncIterator[ArqRedis]:
    """Another process's client of the same Redis."""
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def nowhere() -> AsyncIterator[ArqRedis]:
    """A client of a Redis that is not there."""
    client = connect_redis("redis://127.0.0.1:1/0")
    yield client
    await client.aclose()


async def ask(limits: Limits, login: str = "a", **said: object) -> Turn:
    """One request, and what its answer says."""
    async with limits.turn(login, 1) as turn:
        for name, value in ({"ending": "answered"} | said).items():
            setattr(turn, name, value)
    return turn


async def known(limits: Limits, login: str = "a", remaining: int = 5000) -> None:
    """GitHub has said how many requests remain in an hour."""
    reset = int(time.time()) + 3600
    await ask(limits, login, remaining=remaining, reset=reset, reset_in=3600.0)


async def unblocked(redis: ArqRedis) -> None:
    """The silence is over."""
    now = int(time.time() * 1000)
    arguments = ("HSET", "github:limits:a", "blocked_until", now, "struck_at", now - 60_000)
    await redis.execute_command(*arguments)  # type: ignore[no-untyped-call]


async def test_no_more_turns_at_once_than_allowed_over_all_processes(
    redis: ArqRedis, other: ArqRedis
) -> None:
    limits = [Limits(r, Allowance(at_once=4)) for r in (redis, other)]
    await known(limits[0])
    async with AsyncExitStack() as held:
        for n in range(4):
            await held.enter_async_context(limits[n % 2].turn("a", 1))
        with pytest.raises(Limited, match="under way"):
            await ask(limits[1])
        with pytest.raises(Limited):
            await ask(limits[0], "somebody else")
    await ask(limits[1])


async def test_a_turn_that_ends_lets_the_one_that_waits_through(redis: ArqRedis) -> None:
    limits = Limits(redis, Allowance(at_once=1))
    async with limits.turn("a", 1):
        waiting = asyncio.create_task(ask(limits))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting


async def test_a_lost_workers_turn_lapses(redis: ArqRedis, other: ArqRedis) -> None:
    limits = Limits(redis, Allowance(at_once=1))
    async with limits.turn("a", 1):
        for key in ("github:turns", "github:turns:a"):
            [(member, end)] = await redis.zrange(key, 0, -1, withscores=True)
            assert end > time.time() * 1000 + 20_000
            await redis.zadd(key, {member: time.time() * 1000})
        await ask(Limits(other, Allowance(at_once=1)))


async def test_when_no_request_remains_nobody_asks_until_the_reset(
    redis: ArqRedis, other: ArqRedis
) -> None:
    reset = int(time.time()) + 50
    await ask(Limits(redis), remaining=0, reset=reset, reset_in=50.0)
    with pytest.raises(Limited) as caught:
        await ask(Limits(other))
    assert 48 < caught.value.seconds < 55
    await ask(Limits(other), "another login")


async def test_the_lowest_figure_of_a_window_counts_and_a_new_window_replaces_it(
    redis: ArqRedis,
) -> None:
    limits, reset = Limits(redis), int(time.time()) + 50
    for remaining in (1, 7):
        await ask(limits, remaining=remaining, reset=reset, reset_in=50.0)
    async with limits.turn("a", 1) as turn:
        with pytest.raises(Limited):
            await ask(limits)
        turn.ending, turn.remaining, turn.reset, turn.reset_in = "answered", 9, reset + 60, 110.0
    async with limits.turn("a", 1):
        await ask(limits)


async def test_a_lost_answer_counts_as_a_request(redis: ArqRedis) -> None:
    limits = Limits(redis)
    await known(limits, remaining=1)
    await ask(limits, ending="lost")
    with pytest.raises(Limited):
        await ask(limits)


async def test_until_github_has_said_how_many_it_allows_few_are_under_way(redis: ArqRedis) -> None:
    limits = Limits(redis)
    async with AsyncExitStack() as held:
        for _ in range(10):
            await held.enter_async_context(limits.turn("a", 1))
        with pytest.raises(Limited):
            await ask(limits)


async def test_told_to_be_silent_a_login_is_silent_everywhere(
    redis: ArqRedis, other: ArqRedis
) -> None:
    turn = await ask(Limits(redis), ending="limited", silence=30.0)
    assert 29 < turn.blocked <= 30
    with pytest.raises(Limited) as caught:
        await ask(Limits(other))
    assert caught.value.seconds > 29
    await ask(Limits(other), "another login")


async def test_a_short_silence_is_waited_for(redis: ArqRedis) -> None:
    limits = Limits(redis)
    await ask(limits, ending="limited", silence=0.3)
    started = time.monotonic()
    await ask(limits)
    assert time.monotonic() - started >= 0.29


async def test_without_a_word_silence_is_a_minute_and_doubles(
    redis: ArqRedis, other: ArqRedis
) -> None:
    limits = Limits(redis)
    blocked = []
    for _ in range(3):
        blocked.append((await ask(limits, ending="limited")).blocked)
        await unblocked(redis)
        limits = Limits(other)
    assert [round(seconds) for seconds in blocked] == [60, 120, 240]


async def test_what_was_under_way_at_the_limit_does_not_double_it(
    redis: ArqRedis,
) -> None:
    limits = Limits(redis)
    await known(limits)
    turns = [limits.turn("a", 1) for _ in range(20)]
    entered = [await turn.__aenter__() for turn in turns]
    for turn, manager in zip(entered, turns, strict=True):
        turn.ending = "limited"
        await manager.__aexit__(None, None, None)
    assert max(turn.blocked for turn in entered) <= 60


async def test_a_limit_met_with_no_request_left_ends_with_the_window(redis: ArqRedis) -> None:
    reset = int(time.time()) + 20
    turn = await ask(Limits(redis), ending="limited", remaining=0, reset=reset, reset_in=20.0)
    assert 19 < turn.blocked <= 20


async def test_points_are_used_up_and_come_back(redis: ArqRedis, other: ArqRedis) -> None:
    allowance = Allowance(points=20, refill=10.0)
    for n in range(4):
        async with Limits((redis, other)[n % 2], allowance).turn("a", 5) as turn:
            turn.ending = "answered"
    started = time.monotonic()
    async with Limits(redis, allowance).turn("a", 5):
        assert time.monotonic() - started > 0.2
    async with Limits(redis, allowance).turn("another login", 20):
        pass


async def test_without_redis_a_process_takes_five_turns_and_remembers_silence(
    nowhere: ArqRedis,
) -> None:
    limits = Limits(nowhere)
    async with AsyncExitStack() as held:
        for _ in range(5):
            await held.enter_async_context(limits.turn("a", 1))
        with pytest.raises(Limited):
            await ask(limits)
    turn = await ask(limits, ending="limited", silence=30.0)
    assert turn.blocked == 30
    with pytest.raises(Limited) as caught:
        await ask(limits)
    assert 29 < caught.value.seconds < 33


async def test_a_flush_does_not_make_a_process_forget_what_it_was_told(redis: ArqRedis) -> None:
    limits = Limits(redis)
    await ask(limits, ending="limited", silence=30.0)
    await redis.flushdb()
    with pytest.raises(Limited):
        await ask(limits)
