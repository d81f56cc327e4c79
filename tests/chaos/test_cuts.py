"""A connection that is cut exactly around a request: before it, before its reply, after it."""

import asyncio
import random
import signal
from collections.abc import Sequence

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.proxy import Moment, Proxy
from tests.chaos.web import service
from tests.chaos.wire import script_names, statement_names

SCRIPTS = ("ring", "claim", "settle", "renew")
STATEMENTS = ("start", "finish", "beat", "held", "pick_unrung", "rang")
CUT_SECONDS = 15.0
SETTLE_SECONDS = 10.0


async def test_cuts_before_replies_of_redis(stack: Stack, redis_proxy: Proxy) -> None:
    await stack.worker(REDIS_URL=redis_proxy.url, **SHORT_LEASE)
    jobs = await cut_while_working(stack, redis_proxy, SCRIPTS, Moment.BEFORE_REPLY)
    await ended_at_the_first_attempt(stack, jobs)


async def test_cuts_before_replies_of_postgres(stack: Stack, postgres_proxy: Proxy) -> None:
    await stack.worker(DATABASE_URL=postgres_proxy.url, **SHORT_LEASE)
    jobs = await cut_while_working(stack, postgres_proxy, ("start", "finish"), Moment.BEFORE_REPLY)
    await ended_at_the_first_attempt(stack, jobs)


@pytest.mark.chaos
@pytest.mark.timeout(240)
async def test_cuts_anywhere(
    stack: Stack, redis_proxy: Proxy, postgres_proxy: Proxy, chance: random.Random
) -> None:
    """Each script and statement by itself, at each moment, for the first or the second time."""
    await stack.worker(REDIS_URL=redis_proxy.url, DATABASE_URL=postgres_proxy.url, **SHORT_LEASE)
    places = [(redis_proxy, n, m) for n in SCRIPTS for m in Moment]
    places += [(postgres_proxy, n, m) for n in STATEMENTS for m in Moment]
    chance.shuffle(places)
    jobs = 0
    for proxy, name, moment in places:
        jobs += await cut_while_working(stack, proxy, [name], moment, chance.randint(1, 2))
    await ended_at_the_first_attempt(stack, jobs)
    note("cut around ring, claim, settle, renew, start, finish, beat, …",
         "no attempt lost or doubled", f"{len(places)} cuts, {jobs} jobs at attempt 1")  # fmt: skip


async def test_a_push_whose_commit_is_not_answered_is_there_once(
    stack: Stack, postgres_proxy: Proxy
) -> None:
    await stack.worker()
    async with service(stack, {"DATABASE_URL": postgres_proxy.url}) as site:
        await site.enrol()
        for moment in Moment:
            delivery = moment.name.lower().replace("_", "-")
            cut = postgres_proxy.cut("accept", moment)
            await site.push(delivery)
            assert cut.happened.is_set()
            await site.push_until_accepted(delivery)
    assert await stack.count("true") == len(Moment)
    await stack.settled()
    await stack.stop()
    await stack.check()


async def test_a_crash_between_commit_and_ring_loses_no_push(
    stack: Stack, postgres_proxy: Proxy
) -> None:
    worker = await stack.worker()
    async with service(stack, {"DATABASE_URL": postgres_proxy.url}, stops=False) as site:
        await site.enrol()
        cut = postgres_proxy.cut(
            "accept", Moment.BEFORE_REPLY, then=lambda: site.process.signal(signal.SIGKILL)
        )
        assert await site.push("orphan") == 0
        assert cut.happened.is_set()
    assert await stack.count("true") == 1
    await stack.settled(timeout=4)
    await worker.stop()
    await stack.check()


async def cut_while_working(
    stack: Stack, proxy: Proxy, names: Sequence[str], moment: Moment, nth: int = 1
) -> int:
    """Cut once at each name while jobs run, some of them not rung; answers how many jobs."""
    print("cut", *names, moment.value, nth)  # noqa: T201
    assert {*names} <= {*script_names().values(), *statement_names().values()}
    cuts = [proxy.cut(name, moment, nth) for name in names]
    added = 0
    async with asyncio.timeout(CUT_SECONDS):
        while not all(cut.happened.is_set() for cut in cuts):
            for ring in (True, False):
                await stack.add("effects", {"steps": 2, "seconds": 0.3}, count=3, ring=ring)
            added += 6
            await asyncio.sleep(0.5)
    await stack.settled(timeout=SETTLE_SECONDS)
    return added


async def ended_at_the_first_attempt(stack: Stack, jobs: int) -> None:
    """A lost reply is no crash, and asking again is no second attempt."""
    assert await stack.count("state = 'completed' AND attempt = 1 AND crashes = 0") == jobs
    await stack.stop()
    await stack.check()
