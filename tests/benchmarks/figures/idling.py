"""What an idle worker costs: the product's own, serving every queue, for half a minute."""

import asyncio

import psutil
from redis.asyncio import Redis

from tests.benchmarks.options import Options
from tests.benchmarks.ours import UP, prepared
from tests.benchmarks.programs import switchyard
from tests.benchmarks.results import Limit, Result
from tests.benchmarks.stage import Stage

SETTLE_SECONDS, SECONDS = 10.0, 30.0


async def measure(stage: Stage, options: Options) -> list[Result]:
    """Per cent of one core, and Redis commands a second."""
    measured = [await _costs(stage) for _ in range(options.rounds)]
    processor, commands = ([m[n] for m in measured] for n in (0, 1))
    name = "idle worker, all queues"
    return [
        Result(f"{name}: processor", "% of a core", processor, Limit("< 1", 1.0)),
        Result(f"{name}: Redis commands", "a second", commands, Limit("< 20", 20.0)),
    ]


async def _costs(stage: Stage) -> tuple[float, float]:
    async with prepared(stage) as record, switchyard(stage, "worker.WorkerSettings") as worker:
        await record.until(UP, 1, workers=[worker])
        process = psutil.Process(worker.pid)
        await asyncio.sleep(SETTLE_SECONDS)
        seconds, commands = _cpu_seconds(process), await _commands(record.redis)
        await asyncio.sleep(SECONDS)
        # The first INFO is counted in the second.
        commands = await _commands(record.redis) - commands - 1
        return (_cpu_seconds(process) - seconds) / SECONDS * 100, commands / SECONDS


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _commands(redis: Redis) -> int:
    return int((await redis.info("stats"))["total_commands_processed"])
