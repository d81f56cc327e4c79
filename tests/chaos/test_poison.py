"""What a stranger may put straight into Redis."""

import os
import pickle
from uuid import uuid4

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import until
from worker.jobs.ring import queue_keys

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

KEYS = queue_keys("work")
GARBAGE = [
    b"", b"\0", b"not an id", b"\xff\xfe\x00", b"x" * 100_000, b"{}", b"arq:job:1",
    pickle.dumps({"t": 1, "f": "noop"}), str(uuid4()).upper().encode(), os.urandom(64),
    uuid4().hex.encode(), f" {uuid4()}".encode(), "ünïcode".encode(),
]  # fmt: skip


async def test_bodies_that_are_no_ids_are_quarantined_once(stack: Stack) -> None:
    workers = [await stack.worker(**SHORT_LEASE) for _ in range(2)]
    await stack.warm()
    await stack.redis.zadd(KEYS.times, dict.fromkeys(GARBAGE, 1.0))
    strangers = [str(uuid4()).encode() for _ in range(200)]
    await stack.redis.zadd(KEYS.times, dict.fromkeys(strangers, 1.0))
    # arq's own way to enqueue: a pickled body under the id.
    await stack.redis.set("arq:job:stranger", pickle.dumps({"f": "noop"}), ex=60)
    await stack.redis.zadd(KEYS.times, {"stranger": 1.0})
    behind = await stack.add("work", count=20)
    await stack.settled()

    def quarantined() -> list[str]:
        return [line["id"] for w in workers for line in w.lines("claim.quarantined")]

    await until(lambda: len(quarantined()) >= len(GARBAGE) + 1, 10.0)
    await stack.settled()
    assert len(quarantined()) == len(set(quarantined())) == len(GARBAGE) + 1
    assert await stack.count("state = 'completed' AND attempt = 1") == len(behind) + 200
    await stack.check_quiet()
    await stack.stop()
    await stack.check(errors={"claim.quarantined"})
    note("poison bodies put into Redis", "each quarantined once, workers live",
         f"{len(GARBAGE) + 1} of them, and 200 ids of no job")  # fmt: skip


@pytest.mark.parametrize("place", ["times", "jobs", "owners", "wake"])
async def test_a_key_of_the_wrong_type_stops_its_queue_until_it_is_removed(
    stack: Stack, place: str
) -> None:
    """No worker dies of it or spins, other queues go on, and nothing is lost."""
    worker = await stack.worker(**SHORT_LEASE)
    await stack.warm()
    await stack.add("gated", count=5)
    await stack.running(5)
    key = getattr(KEYS, place)
    await stack.redis.delete(key)
    await stack.redis.set(key, "a string")
    jobs = await stack.add("effects", {"steps": 1}, count=30, ring=False)
    others = await stack.add("noop", queue="noop", count=50)

    async def others_done() -> bool:
        done = await stack.count("state = 'completed' AND queue = 'noop'")
        return done == len(others) + 100

    before = worker.cpu_seconds()
    await until(others_done, 10.0)
    assert worker.cpu_seconds() - before < 3.0
    await stack.redis.delete(key)
    stack.open_gate()
    await stack.settled(timeout=30)
    assert await stack.count("state = 'completed'") == len(jobs) + len(others) + 205
    await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False)
    note(f"a string where the queue keeps its {place}", "heals when removed, 30 s", "done")


async def test_ids_that_lost_their_place_are_found_again(stack: Stack) -> None:
    """Half of a queue's keys deleted by hand: what waits is rung again."""
    worker = await stack.worker(**SHORT_LEASE)
    await stack.add("gated", count=20)
    await stack.running(20)
    await stack.add("effects", {"steps": 1}, count=200)
    keys = [key async for key in stack.redis.scan_iter(f"{KEYS.times}:ready:*")]
    await stack.redis.delete(KEYS.times, *keys)
    stack.open_gate()
    await stack.settled(timeout=40)
    await stack.check_quiet()
    await worker.stop()
    await stack.check()
    note("ready set and times of a queue deleted by hand", "all done within 40 s", "done")
