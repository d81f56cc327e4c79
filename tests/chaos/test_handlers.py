"""Handlers that take a process's loop, memory or life, and what becomes of their neighbours."""

import time

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

GIGABYTE = 2**30


async def test_handlers_that_ignore_their_cancellation_cost_slots_and_nothing_else(
    stack: Stack,
) -> None:
    """They are named in the log, given up, tried again, and buried; the worker goes on."""
    worker = await stack.worker(CHAOS_GRACE_SECONDS="0.5", CHAOS_LEASE_MS="1500")
    jobs = await stack.add("deaf", queue="ends", count=2)
    await until(lambda: len(worker.lines("job.ignored_cancellation")) == 6, 30.0)
    await stack.settled()
    assert {e["job_id"] for e in worker.lines("job.ignored_cancellation")} == {*map(str, jobs)}
    for job_id in jobs:
        job = await stack.job(job_id)
        assert (job["state"], job["failures"], job["crashes"]) == ("dead", 3, 0)
        history = await stack.history(job_id)
        assert [row["outcome"] for row in history] == ["timeout"] * 3
    neighbours = await stack.add("end", {"how": "cancel"}, queue="ends", count=20)
    await stack.settled()
    assert await stack.count("state = 'cancelled'") == len(neighbours)
    asked = time.monotonic()
    await worker.stop()
    took = time.monotonic() - asked
    assert took < 10
    await stack.check(errors={"job.ignored_cancellation"})
    note("handlers that ignore cancellation", "given up and named; SIGTERM ends within 10 s",
         f"6 attempts given up, stopped in {took:.1f} s")  # fmt: skip


async def test_two_gigabytes_are_given_back(stack: Stack) -> None:
    worker = await stack.worker()
    await stack.warm()
    assert worker.warm is not None
    [greedy] = await stack.add("greedy", {"megabytes": 2048})
    most = 0

    async def ended() -> bool:
        nonlocal most
        most = max(most, worker.usage().memory)
        return bool((await stack.job(greedy))["state"] == "completed")

    await until(ended, 30.0, 0.01)
    assert most > 2 * GIGABYTE
    neighbours = await stack.add("work", count=50)
    await stack.settled()
    assert await stack.count("state = 'completed' AND attempt = 1") == len(neighbours) + 201
    await stack.stop()
    await stack.check()
    note("handler allocates 2 GB", "worker lives, memory returns",
         f"peak {most / GIGABYTE:.1f} GB")  # fmt: skip


async def test_memory_that_is_refused_fails_only_who_asked(stack: Stack) -> None:
    worker = await stack.worker(CHAOS_MEMORY_MB="1500")
    [greedy] = await stack.add("greedy", {"megabytes": 2048})
    neighbours = await stack.add("effects", {"steps": 3, "seconds": 0.1}, count=50)
    await stack.settled()
    job = await stack.job(greedy)
    assert (job["state"], job["failures"], job["crashes"]) == ("dead", 3, 0)
    assert {row["error_type"] for row in await stack.history(greedy)} == {"MemoryError"}
    assert await stack.count("state = 'completed' AND attempt = 1") == len(neighbours)
    await worker.stop()
    await stack.check()
    note("2 GB refused by the system", "MemoryError fails its own job only", "so it is")


async def test_a_job_that_ends_the_process_is_buried_and_its_effects_and_theirs_happen_once(
    stack: Stack,
) -> None:
    """Who was beside it all three times shares its verdict: nobody can tell them apart."""
    neighbours = await stack.add("effects", {"steps": 3, "seconds": 0.3}, count=19, ring=False)
    [deadly] = await stack.add("obey", {"how": "exit"}, ring=False)
    for _ in range(3):
        victim = await stack.worker(**SHORT_LEASE)
        assert await victim.ended() == 9
    later = await stack.add("effects", {"steps": 1}, count=50)
    survivor = await stack.worker(**SHORT_LEASE)
    await stack.settled(timeout=30)
    assert (await stack.job(deadly))["crashes"] == 3
    dead = await stack.count("state = 'dead' AND kind = 'effects'")
    assert await stack.count("state = 'completed'") == len(neighbours) + len(later) - dead
    assert await stack.count("state = 'dead' AND crashes < 3") == 0
    await stack.check_quiet()
    await survivor.stop()
    await stack.check(effects=False, errors={"claim.turned_away"})
    note("os._exit three times beside 19 other jobs", "the culprit is dead, the worker lives",
         f"{dead} of the 19 share its verdict, 50 that came later are done")  # fmt: skip
