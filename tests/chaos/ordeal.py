"""The frame of most scenarios: steady work, a fault in its midst, and all of it ends well."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from redis.exceptions import RedisError

from tests.chaos.checker import growth
from tests.chaos.harness import Stack
from tests.chaos.processes import Process
from tests.chaos.web import Site, flow, service
from worker.errors import RecordUnavailable

PUSHES_A_SECOND = 10.0
JOBS_AT_ONCE = 3
WORKERS = 2
LONG_JOBS = 10
PAUSE = 0.25
AWAY = (RecordUnavailable, RedisError, OSError)


class Ordeal:
    """What goes on while the fault does."""

    def __init__(self, site: Site, workers: list[Process], statuses: list[int]) -> None:
        self.site = site
        self.workers = workers
        self.statuses = statuses
        self.healed_at = 0.0

    @property
    def all_accepted(self) -> bool:
        """Whether no push was refused."""
        return {*self.statuses} == {202}

    def heal(self) -> None:
        """The fault is over now, and not only at the end of the block."""
        self.healed_at = time.monotonic()


@asynccontextmanager
async def ordeal(
    stack: Stack, name: str, *, within: float, variables: Mapping[str, str] | None = None,
    errors: Collection[str] = (), crashes: bool = False,
) -> AsyncIterator[Ordeal]:  # fmt: skip
    """Pushes and jobs flow during the block, and ten jobs run all through it; everything has ended
    `within` seconds after it.

    The variables are those of the workers and the web service alike. Unless `crashes` are part of
    it, no job may be taken from the worker that runs it: whatever is away, the worker lives.
    """
    started = [await stack.worker(**(variables or {})) for _ in range(WORKERS)]
    async with service(stack, variables) as site:
        await site.enrol()
        await site.push("first")
        await stack.warm()
        await stack.add("gated", count=LONG_JOBS)
        await stack.running(LONG_JOBS)
        async with flow(site, PUSHES_A_SECOND) as statuses, flow_of_jobs(stack):
            ordeal = Ordeal(site, started, statuses)
            yield ordeal
            stack.open_gate()
            await asyncio.sleep(1.0)
        healed_at = ordeal.healed_at or time.monotonic()
        await stack.settled(timeout=within)
        took = time.monotonic() - healed_at
        # While the workers live: a lease that could not be given up has to lapse, and be claimed.
        await stack.check_quiet()
    await stack.stop()
    await stack.check(effects=False, errors=errors)
    assert crashes or await stack.count("crashes > 0") == 0
    jobs = await stack.count("true")
    refused = sum(status != 202 for status in statuses)
    note(
        name, f"all ended within {within:g} s",
        f"{took:.1f} s; {jobs} jobs, {len(statuses)} pushes of which {refused} refused; "
        f"growth (MB, files) {growth(stack)}",
    )  # fmt: skip


@asynccontextmanager
async def flow_of_jobs(stack: Stack, seconds: float = 0.2) -> AsyncIterator[None]:
    """New jobs of so many seconds four times a second, half of them not rung."""

    async def run() -> None:
        while True:
            for ring in (True, False):
                with suppress(*AWAY):
                    await stack.add(
                        "effects",
                        {"steps": 2, "seconds": seconds / 2},
                        count=JOBS_AT_ONCE,
                        ring=ring,
                    )
            await asyncio.sleep(PAUSE)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def note(scenario: str, limit: str, measured: str) -> None:
    """One row for the table of results, in the file of CHAOS_RESULTS and on the screen."""
    seed = os.environ.get("CHAOS_SEED", "")
    row = f"| {scenario} | {limit} | {measured} | {seed} |\n"
    print(row)  # noqa: T201
    if target := os.environ.get("CHAOS_RESULTS"):
        with Path(target).open("a", encoding="utf-8") as results:
            results.write(row)
