"""Pushes that come many times, and pushes of which the process dies."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.harness import Stack
from tests.chaos.ordeal import note
from tests.chaos.proxy import Moment, Proxy
from tests.chaos.web import service

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

COPIES = 100
OTHER_CLOCK = ("python", "-m", "tests.chaos.clock", "webhooks.__main__")


async def test_100_copies_of_a_delivery_and_again_an_hour_later(
    stack: Stack, tmp_path: Path
) -> None:
    worker = await stack.worker()
    async with service(stack) as first, service(stack) as second:
        await first.enrol()
        answers = await asyncio.gather(
            *((first, second)[n % 2].push("the-one") for n in range(COPIES))
        )
        assert Counter(answers) == {202: COPIES}
        await stack.settled()
    before = await stack.pool.fetch("SELECT id, attempt, finished_at FROM jobs")
    assert len(before) == 1
    await stack.pool.execute("UPDATE webhook_events SET received_at = received_at - interval '1 h'")
    clock = tmp_path / "clock"
    clock.write_text("3600")
    later = {"CHAOS_CLOCK": str(clock)}
    async with service(stack, later, program=OTHER_CLOCK) as third:
        answers = await asyncio.gather(*(third.push("the-one") for _ in range(COPIES)))
        assert Counter(answers) == {202: COPIES}
        await stack.settled()
    assert await stack.pool.fetch("SELECT id, attempt, finished_at FROM jobs") == before
    await worker.stop()
    await stack.check()
    note("100 copies of one delivery, again an hour later", "one job, run once", "so it is")


@pytest.mark.parametrize("moment", Moment)
async def test_a_service_killed_around_the_commit(
    stack: Stack, postgres_proxy: Proxy, moment: Moment
) -> None:
    """Whatever was answered is there, whatever is there runs, and asking again does no harm."""
    worker = await stack.worker()
    distant = {"DATABASE_URL": postgres_proxy.url}
    async with service(stack, distant, stops=False) as site:
        await site.enrol()
        await site.push("before")
        postgres_proxy.cut("accept", moment, then=lambda: site.process.signal(signal.SIGKILL))
        await asyncio.gather(*(site.push(f"in-flight-{n}") for n in range(50)))
        assert await site.process.ended() == -signal.SIGKILL
    acknowledged = len(stack.acknowledged)
    recorded = await stack.count("true")
    async with service(stack) as site:
        statuses = await asyncio.gather(*(site.push(f"in-flight-{n}") for n in range(50)))
        assert {*statuses} == {202}
    await stack.settled()
    assert await stack.count("true") == 51
    await worker.stop()
    await stack.check()
    note(f"service killed {moment.value} of a commit", "nothing acknowledged is lost",
         f"{acknowledged} acknowledged, {recorded} recorded, 51 done in the end")  # fmt: skip
