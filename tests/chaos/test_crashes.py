"""Workers that are killed, stopped, stuck or poisoned."""

import signal
import time
from functools import partial

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import until
from worker.engine.watchdog import EXIT_CODE


@pytest.mark.chaos
async def test_a_killed_workers_job_is_done_by_another_within_15_seconds(stack: Stack) -> None:
    workers = [await stack.worker(), await stack.worker()]
    [job_id] = await stack.add("work", {"seconds": 1})
    await stack.running(1)
    holder = (await stack.job(job_id))["worker"]
    [first] = [w for w in workers if f":{w.pid}:" in holder]
    await first.kill()
    killed_at = time.monotonic()
    await stack.settled(timeout=17)
    took = time.monotonic() - killed_at
    # The job itself takes a second.
    assert took < 15 + 1
    note("kill -9 of a worker with a running job", "restarted within 15 s", f"{took - 1:.1f} s")

    job = await stack.job(job_id)
    assert (job["state"], job["attempt"], job["crashes"], job["failures"]) == ("completed", 2, 1, 0)
    [lost] = await stack.history(job_id)
    assert (lost["outcome"], lost["error_type"], lost["attempt"]) == ("crashed", "WorkerLost", 1)
    assert lost["worker"] == holder
    await stack.check()
    [second] = [w for w in workers if w is not first]
    await second.stop()


@pytest.mark.chaos
async def test_a_job_that_kills_three_workers_is_dead_and_the_fourth_lives(stack: Stack) -> None:
    [poison] = await stack.add("obey", {"how": "exit"}, ring=False)
    for _ in range(3):
        victim = await stack.worker(**SHORT_LEASE)
        assert await victim.ended() == 9
    survivor = await stack.worker(**SHORT_LEASE)
    await stack.settled()

    job = await stack.job(poison)
    assert (job["state"], job["attempt"], job["crashes"]) == ("dead", 3, 3)
    assert "stopped its worker 3 times" in job["error"]
    assert [row["outcome"] for row in await stack.history(poison)] == ["crashed"] * 3
    [healthy] = await stack.add("work")
    await stack.settled()
    assert (await stack.job(healthy))["state"] == "completed"
    await survivor.stop()
    await stack.check(errors={"claim.turned_away"})


async def test_a_worker_stopped_for_longer_than_its_lease_ends_nothing_twice(stack: Stack) -> None:
    first = await stack.worker(**SHORT_LEASE)
    jobs = await stack.add("work", {"seconds": 1.5}, count=10)
    await stack.running(10)
    first.signal(signal.SIGSTOP)
    second = await stack.worker(**SHORT_LEASE)
    await until(partial(stack.counted, "state = 'running' AND attempt = 2", len(jobs)), 10.0)
    # The first goes on while the second is at it: a stale end must not end the job.
    first.signal(signal.SIGCONT)

    def gave_up() -> bool:
        return len(first.lines("job.refused") + first.lines("job.lost")) == len(jobs)

    await until(gave_up)
    await stack.settled()
    assert not first.lines("job.completed")
    assert len(second.lines("job.completed")) == len(jobs)
    for job_id in jobs:
        job = await stack.job(job_id)
        assert (job["state"], job["attempt"], job["crashes"]) == ("completed", 2, 1)
    [again] = await stack.add("work")
    await second.stop()
    await stack.settled()
    assert (await stack.job(again))["state"] == "completed"
    await first.stop()
    await stack.check(effects=False)


async def test_a_worker_whose_event_loop_is_stuck_ends_itself(stack: Stack) -> None:
    stuck = await stack.worker(**SHORT_LEASE)
    [job_id] = await stack.add("hog", {"seconds": 30})
    await stack.running(1)
    other = await stack.worker(**SHORT_LEASE)
    await stack.settled()
    assert await stuck.ended() == EXIT_CODE
    assert "watchdog: the event loop was stuck for" in stuck.text
    assert "in hog" in stuck.text
    job = await stack.job(job_id)
    assert (job["state"], job["attempt"], job["crashes"]) == ("completed", 2, 1)
    await other.stop()
    await stack.check()
