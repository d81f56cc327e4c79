"""The old version and the new one side by side, with a kind that only the new one knows."""

import asyncio

import pytest

from tests.chaos.harness import Stack
from tests.chaos.ordeal import note

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

# Every five seconds all workers take what nobody knew yet, the new one only its share of it.
WITHIN = 90.0


async def test_a_kind_that_only_the_new_version_knows(stack: Stack) -> None:
    """Old workers leave it alone, without counting or spinning; new ones run it."""
    old = [await stack.worker() for _ in range(2)]
    novel = await stack.add("novel", count=50)
    known = await stack.add("effects", {"steps": 1}, count=500)
    await stack.finished(known)
    before = [worker.cpu_seconds() for worker in old]
    await asyncio.sleep(5)
    used = max(w.cpu_seconds() - b for w, b in zip(old, before, strict=True))
    assert await stack.count("kind = 'novel' AND state = 'queued' AND attempt = 0") == len(novel)
    assert used < 1.0
    asked = asyncio.get_running_loop().time()
    new = await stack.worker(CHAOS_NEW_VERSION="yes")
    more = await stack.add("novel", count=50)
    await stack.settled(timeout=WITHIN)
    took = asyncio.get_running_loop().time() - asked
    assert len(new.lines("job.completed")) >= len(novel) + len(more)
    assert await stack.count("state = 'completed' AND attempt = 1") == 600
    await stack.check_quiet()
    await stack.stop()
    await stack.check()
    note("a kind that only the new version knows", f"runs within {WITHIN:g} s, old workers idle",
         f"{took:.1f} s; an old worker used {used:.2f} s of processor in 5 s")  # fmt: skip
