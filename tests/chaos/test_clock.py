"""A worker whose wall clock is an hour off, or jumps while it works."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note, ordeal

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

HOUR = 3600
EARLY = """
SELECT count(*) FROM chaos_journal j JOIN jobs ON jobs.id = j.job_id
WHERE j.became = 'running' AND jobs.attempt = 1 AND jobs.run_at - j.at > interval '0.3 s'
"""


async def test_a_worker_whose_clock_jumps_by_an_hour(stack: Stack, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with ordeal(
        stack, "clock of a worker stepped by ±1 h", within=15, variables=SHORT_LEASE
    ) as o:
        await stack.worker(CHAOS_CLOCK=str(clock), **SHORT_LEASE)
        for offset in (HOUR, 0, -HOUR, HOUR, 0):
            clock.write_text(str(offset))
            await asyncio.sleep(3)
        o.heal()
    assert await stack.count("crashes > 0 OR attempt > 1") == 0


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
async def test_delays_are_those_of_the_record(stack: Stack, tmp_path: Path, offset: int) -> None:
    """Retries and delayed jobs come when the record says, on a worker that is an hour off."""
    clock = tmp_path / "clock"
    clock.write_text(str(offset))
    worker = await stack.worker(CHAOS_CLOCK=str(clock))
    [promised] = await stack.add("fail", queue="promised")
    delayed = await stack.add("work", count=10, ring=False)
    await stack.pool.execute(
        "UPDATE jobs SET run_at = now() + interval '5 s' WHERE id = ANY ($1)", delayed
    )
    await stack.settled(timeout=15)
    first, second, third = await stack.history(promised)
    assert 2.0 <= (second["started_at"] - first["finished_at"]).total_seconds() <= 2.5
    assert 4.0 <= (third["started_at"] - second["finished_at"]).total_seconds() <= 4.5
    assert await stack.pool.fetchval(EARLY) == 0
    late = await stack.pool.fetchval(
        "SELECT max(extract(epoch FROM started_at - run_at))::float8 FROM jobs WHERE id = ANY ($1)",
        delayed,
    )
    assert late < 4.0
    await stack.check_quiet()
    await worker.stop()
    await stack.check()
    note(f"delays on a worker whose clock is off by {offset} s", "retries ±0.5 s, none early",
         f"delayed jobs at most {late:.1f} s late")  # fmt: skip
