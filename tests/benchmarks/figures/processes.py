"""Jobs a second with 1 to 40 worker processes on one queue.

All processes are up before the jobs, which were recorded and rung beforehand, fall due together.
"""

from collections import defaultdict
from contextlib import AsyncExitStack

from tests.benchmarks.options import Options
from tests.benchmarks.ours import COMPLETED, UP, prepared
from tests.benchmarks.programs import ProgramError, switchyard
from tests.benchmarks.results import Limit, Result
from tests.benchmarks.stage import Stage

PROCESSES = (1, 2, 4, 10, 40)
# 40 times this, and the script's own, stay below Postgres's usual limit of 100 connections.
POOL_SIZE = 2
LEAST_SHARE = 0.8
# What filling takes at worst, while idle processes look on.
FILL_SECONDS, FILL_RATE = 4.0, 10_000
STARTED = "SELECT EXISTS (SELECT FROM jobs WHERE state <> 'queued')"
SECONDS = "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM jobs"


async def measure(stage: Stage, options: Options) -> list[Result]:
    """A rate for each number of processes, and what the most get of the best."""
    rates: defaultdict[int, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        for count in PROCESSES:
            rates[count].append(await _rate(stage, count, 2 * options.jobs))
    results = [Result(f"{n} worker processes", "jobs/s", r) for n, r in rates.items()]
    best = max(results, key=lambda r: r.median)
    share = results[-1].median / best.median * 100
    limit = Limit(f"≥ {LEAST_SHARE:.0%}", LEAST_SHARE * 100, at_least=True)
    return [*results, Result(f"{PROCESSES[-1]} processes, of the best", "%", [share], limit)]


async def _rate(stage: Stage, processes: int, jobs: int) -> float:
    async with prepared(stage) as record, AsyncExitStack() as stack:
        started = [switchyard(stage, DATABASE_POOL_SIZE=str(POOL_SIZE)) for _ in range(processes)]
        workers = [await stack.enter_async_context(w) for w in started]
        await record.until(UP, processes, workers=workers)
        await record.fill(jobs, delay=FILL_SECONDS + jobs / FILL_RATE)
        if await record.pool.fetchval(STARTED):
            raise ProgramError("the queue could not be filled in time")
        await record.until(COMPLETED, jobs, workers=workers)
        return jobs / float(await record.pool.fetchval(SECONDS))
