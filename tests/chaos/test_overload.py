"""Ten times the load that the workers can sustain, for a minute."""

import asyncio
import time

import pytest

from tests.chaos.harness import Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import until
from tests.chaos.web import Site, service

pytestmark = [pytest.mark.chaos, pytest.mark.alone, pytest.mark.timeout(300)]

SLOTS = 10
SCAN_SECONDS = 0.2
SUSTAINABLE = SLOTS / SCAN_SECONDS
OFFERED = 10 * SUSTAINABLE
SECONDS = 60
TICK = 0.02
IMPORTANT, EVERY = "acme/important", 100


async def test_ten_times_the_sustainable_load_for_a_minute(stack: Stack) -> None:
    worker = await stack.worker(CHAOS_SCAN_SECONDS=str(SCAN_SECONDS))
    async with service(stack) as site:
        await site.enrol()
        await site.enrol(IMPORTANT, "enterprise")
        await asyncio.gather(*(site.push(f"warm-{n}") for n in range(500)))
        worker.warm, site.process.warm = worker.usage(), site.process.usage()
        answered = await offer(site)
        done = await stack.count("state = 'completed'")
        stack.open_gate()
        await stack.settled(timeout=120)
    starts = [
        row["waited"]
        for row in await stack.pool.fetch(
            "SELECT extract(epoch FROM started_at - created_at)::float8 AS waited FROM jobs"
            " WHERE delivery_id LIKE 'important-%' ORDER BY 1"
        )
    ]
    await stack.check_quiet()
    await stack.stop()
    await stack.check()
    answer, start = percentile(answered, 0.99), percentile(starts, 0.99)
    note("ten times the sustainable load for a minute",
         "webhook p99 < 1 s, high-priority start p99 < 2 s, memory bounded",
         f"{len(answered) / SECONDS:.0f} pushes/s offered, {done / SECONDS:.0f} jobs/s done; "
         f"webhook p99 {answer:.3f} s, start p99 {start:.3f} s of {len(starts)}")  # fmt: skip
    assert len(answered) > 0.9 * OFFERED * SECONDS
    assert answer < 1.0
    assert len(starts) > 200
    assert start < 2.0


async def offer(site: Site) -> list[float]:
    """Push at the offered rate, whatever the answers take; answers the seconds each took."""
    seconds: list[float] = []
    pushing: set[asyncio.Task[None]] = set()

    async def push(number: int) -> None:
        asked = time.monotonic()
        if number % EVERY == 0:
            status = await site.push(f"important-{number}", IMPORTANT)
        else:
            status = await site.push(f"usual-{number}")
        assert status == 202
        seconds.append(time.monotonic() - asked)

    begun = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - begun) < SECONDS:
        for number in range(sent, int(passed * OFFERED)):
            task = asyncio.create_task(push(number))
            pushing.add(task)
            task.add_done_callback(pushing.discard)
        sent = int(passed * OFFERED)
        await asyncio.sleep(TICK)
    await until(lambda: not pushing, 30.0)
    assert len(seconds) == sent
    return seconds


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
