"""Workers killed or stopped again and again, while they work."""

import asyncio
import random
import signal
from datetime import UTC, datetime

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note, ordeal
from tests.chaos.processes import Process, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

FORGIVING = {"CHAOS_CRASHES_ALLOWED": "1000"}
RESTARTED = """
SELECT j.job_id, min(extract(epoch FROM t.at - $1))::float8 AS seconds
FROM chaos_journal j JOIN chaos_journal t ON t.job_id = j.job_id AND t.number > j.number
WHERE j.worker = $2 AND j.became = 'running' AND t.worker_was = $2 AND t.crashed
GROUP BY 1
"""


async def test_one_of_two_workers_killed_twenty_times_during_2000_jobs(
    stack: Stack, chance: random.Random
) -> None:
    workers = [await stack.worker(**FORGIVING) for _ in range(2)]
    kills: list[tuple[datetime, str]] = []
    await stack.add("effects", {"steps": 2, "seconds": 0.4}, count=2000)
    for _ in range(20):
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        victim = workers.pop(chance.randrange(2))
        [started] = victim.lines("worker.started")
        await victim.kill()
        kills.append((datetime.now(UTC), started["worker"]))
        workers.append(await stack.worker(**FORGIVING))
    await stack.settled(timeout=90)
    restarts = [r["seconds"] for at, w in kills for r in await stack.pool.fetch(RESTARTED, at, w)]
    assert await stack.count("state = 'completed' AND failures = 0") == 2000
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    assert len(restarts) > 50
    assert max(restarts) < 15
    note("kill -9 one of two workers 20 times, 2 000 jobs", "each restarted within 15 s",
         f"{len(restarts)} jobs restarted, the last after {max(restarts):.1f} s")  # fmt: skip


async def test_all_workers_killed_at_once(stack: Stack) -> None:
    victims = [await stack.worker() for _ in range(3)]
    await stack.add("effects", {"steps": 2, "seconds": 1.0}, count=100)
    await stack.running(60)
    killed_at = datetime.now(UTC)
    for victim in victims:
        victim.signal(signal.SIGKILL)
    for victim in victims:
        await victim.ended()
    for _ in range(2):
        await stack.worker()
    await stack.settled(timeout=40)
    assert await stack.count("crashes = 1 AND attempt = 2") == 60
    last = await stack.pool.fetchval(
        "SELECT max(extract(epoch FROM at - $1))::float8 FROM chaos_journal WHERE crashed",
        killed_at,
    )
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    assert last < 15
    note("all three workers killed", "restarted within 15 s", f"{last:.1f} s")


async def test_stopped_for_three_leases_and_continued(stack: Stack) -> None:
    """Full leases, with effects: nothing happens twice, and what is late is refused."""
    first = await stack.worker()
    jobs = await stack.add("effects", {"steps": 3, "seconds": 1.0}, count=20)
    await stack.running(20)
    await until(lambda: len(stack.effects("1:written")) == 20)
    first.signal(signal.SIGSTOP)
    second = await stack.worker()
    await asyncio.sleep(36)
    await stack.settled()
    first.signal(signal.SIGCONT)

    def gave_up() -> bool:
        return len(first.lines("job.refused") + first.lines("job.lost")) == len(jobs)

    await until(gave_up, 15.0)
    assert await stack.count("state = 'completed' AND attempt = 2 AND crashes = 1") == len(jobs)
    assert len(second.lines("job.completed")) == len(jobs)
    late = sum(stack.effects(f"{step}:fenced").total() for step in (1, 2, 3))
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    note("SIGSTOP for three leases, then CONT", "no effect twice, stale finishes refused",
         f"{len(first.lines('job.refused'))} refused, {len(first.lines('job.lost'))} lost, "
         f"{late} late effects fenced off")  # fmt: skip


async def test_stopped_and_continued_again_and_again(stack: Stack, chance: random.Random) -> None:
    """Shorter and longer than a lease, either worker, while work flows."""
    async with ordeal(
        stack,
        "SIGSTOP and CONT 8 times, 0.2 to 4 s",
        within=15,
        variables=SHORT_LEASE,
        crashes=True,
    ) as o:
        for _ in range(8):
            victim: Process = chance.choice(o.workers)
            victim.signal(signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(0.2, 4.0))
            victim.signal(signal.SIGCONT)
            await asyncio.sleep(1)
        o.heal()


async def test_a_crash_between_effect_and_finish_repeats_no_effect(stack: Stack) -> None:
    first = await stack.worker(**SHORT_LEASE)
    jobs = await stack.add("effects", {"steps": 2, "die": True}, count=10)
    assert await first.ended() == -signal.SIGKILL
    await stack.worker(**SHORT_LEASE)
    await stack.settled()
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    repeated = stack.effects("2:repeated").total()
    assert repeated >= 1
    assert await stack.count("state = 'completed' AND crashes <= 1") == len(jobs)
    note("crash between effect and finish", "effects once",
         f"{repeated} of {len(jobs)} jobs repeated an effect, which wrote nothing")  # fmt: skip


OVERLAPS = """
WITH spans AS (
    SELECT j.concurrency_key AS key, b.job_id, b.attempt, b.at AS begun,
           (SELECT min(e.at) FROM chaos_journal e WHERE e.job_id = b.job_id AND e.number > b.number)
           AS ended
    FROM chaos_journal b JOIN jobs j ON j.id = b.job_id
    WHERE b.became = 'running' AND j.queue = 'keyed'
)
SELECT count(*) FROM spans a JOIN spans b ON a.key = b.key AND a.job_id < b.job_id
WHERE a.begun < b.ended AND b.begun < a.ended
"""


async def test_limits_by_key_hold_and_leak_nothing_when_workers_die(
    stack: Stack, chance: random.Random
) -> None:
    """One running job a key; a dead worker's place comes free with its lease."""
    given = SHORT_LEASE | FORGIVING
    workers = [await stack.worker(**given) for _ in range(2)]
    for number in range(120):
        await stack.add("keyed", {"seconds": 0.2}, queue="keyed", key=f"key-{number % 4}")
    for _ in range(5):
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        victim = workers.pop(chance.randrange(2))
        await victim.kill()
        workers.append(await stack.worker(**given))
    await stack.settled(timeout=40)
    assert await stack.pool.fetchval(OVERLAPS) == 0
    crashed = await stack.count("crashes > 0")
    assert crashed > 0
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    note("kill -9 five times, one job at a time for each key", "never two of a key, no place lost",
         f"120 jobs of 4 keys, {crashed} taken over")  # fmt: skip
