"""From asking for a cancellation until the handler feels it, in another process."""

import time

from tests.benchmarks.options import Options
from tests.benchmarks.ours import Record, prepared
from tests.benchmarks.programs import Running, switchyard
from tests.benchmarks.results import Limit, Result, percentile
from tests.benchmarks.stage import Stage
from worker.jobs.cancelling import Cancelling
from worker.jobs.model import NewJob

SAMPLES = 50
CANCELLED = "SELECT count(*) = $1 FROM jobs WHERE state = 'cancelled'"


async def measure(stage: Stage, options: Options) -> list[Result]:
    """Milliseconds, one job at a time."""
    rounds = [await _waits(stage) for _ in range(options.rounds)]
    values = [percentile(waits, 95) for waits in rounds]
    name = "cancel of a running job in another process, p95"
    return [Result(name, "ms", values, Limit("≤ 100", 100.0))]


async def _waits(stage: Stage) -> list[float]:
    async with prepared(stage) as record, switchyard(stage) as worker:
        cancelling = Cancelling(record.pool, record.redis)
        waits = [await _cancel(record, worker, cancelling) for _ in range(SAMPLES)]
        await record.until(CANCELLED, SAMPLES, workers=[worker])
        return waits


async def _cancel(record: Record, worker: Running, cancelling: Cancelling) -> float:
    job = NewJob("bench", "linger", {}, 3)
    await record.add([job])
    await worker.time_of("started")
    asked = time.time()
    await cancelling.cancel(job.id)
    return (await worker.time_of("cancelled") - asked) * 1000
