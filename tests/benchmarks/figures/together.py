"""Ten thousand jobs at once in one process: every one has started before the first may end."""

import asyncio
from contextlib import suppress

import psutil

from tests.benchmarks.options import Options
from tests.benchmarks.ours import COMPLETED, prepared
from tests.benchmarks.programs import ProgramError, switchyard
from tests.benchmarks.results import Limit, Result
from tests.benchmarks.stage import Stage
from worker.jobs.model import NewJob

JOBS = 10_000
# Longer than a lease, so that each of the leases has to be renewed.
HOLD_SECONDS = 15.0
SAMPLE_SECONDS = 0.1
NOT_FIRST = "SELECT count(*) FROM jobs WHERE attempt <> 1"


async def measure(stage: Stage, options: Options) -> list[Result]:
    """The most memory that the process took."""
    peaks = [await _peak(stage) for _ in range(options.rounds)]
    name = f"{JOBS:,} jobs running at once for {HOLD_SECONDS:.0f} s, all completed: most memory"
    return [Result(name, "MB", peaks, Limit("< 400", 400.0))]


async def _peak(stage: Stage) -> float:
    """Megabytes resident. Raises ProgramError unless every job ran once and completed."""
    async with prepared(stage) as record:
        await record.add([_held() for _ in range(JOBS)])
        limits = {"JOBS": str(JOBS), "QUEUE_BENCH_CONCURRENCY": str(JOBS)}
        async with switchyard(stage, **limits) as worker:
            watching = asyncio.create_task(_watch(psutil.Process(worker.pid)))
            await worker.time_of("first")
            await worker.time_of("last")
            await record.until(COMPLETED, JOBS, workers=[worker])
            watching.cancel()
            peak = await watching
        if again := await record.pool.fetchval(NOT_FIRST):
            raise ProgramError(f"{again} jobs ran more than once")
        return peak


def _held() -> NewJob:
    return NewJob("bench", "hold", {"seconds": HOLD_SECONDS}, 3)


async def _watch(process: psutil.Process) -> float:
    most = 0
    with suppress(asyncio.CancelledError):
        while True:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(SAMPLE_SECONDS)
    return most / 1e6
