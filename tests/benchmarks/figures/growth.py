"""What a job costs while 10³ to 10⁶ others wait: processor and wall time, worker and servers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.benchmarks.options import Options
from tests.benchmarks.ours import prepared
from tests.benchmarks.programs import switchyard
from tests.benchmarks.results import Limit, Result
from tests.benchmarks.stage import Stage

WAITING = (1_000, 10_000, 100_000, 1_000_000)
# Connections are open and statements prepared after the first ones.
WARM_UP, MEASURED = 5_000, 20_000
FLAT = Limit("≤ 1.2", 1.2)


@dataclass(frozen=True)
class Cost:
    """Microseconds a job."""

    processor: float
    wall: float


async def measure(stage: Stage, options: Options) -> list[Result]:
    """Costs for each length of the queue, and the highest over the lowest."""
    costs: defaultdict[int, list[Cost]] = defaultdict(list)
    for _ in range(options.rounds):
        for waiting in WAITING:
            costs[waiting].append(await _cost(stage, waiting))
    processor = {n: [c.processor for c in some] for n, some in costs.items()}
    wall = {n: [c.wall for c in some] for n, some in costs.items()}
    return [*_results("processor", processor), *_results("wall", wall)]


def _results(what: str, costs: Mapping[int, Sequence[float]]) -> list[Result]:
    results = [Result(f"a job while {n:,} wait: {what}", "µs", v) for n, v in costs.items()]
    medians = [r.median for r in results]
    grown = Result(f"highest over lowest: {what}", "", [max(medians) / min(medians)], FLAT)
    return [*results, grown]


async def _cost(stage: Stage, waiting: int) -> Cost:
    async with prepared(stage) as record:
        await record.fill(WARM_UP + MEASURED + waiting)
        marks = {"FROM": str(WARM_UP), "JOBS": str(WARM_UP + MEASURED)}
        async with switchyard(stage, **marks) as worker:
            pids = (worker.pid, stage.redis_pid, stage.postgres_pid)
            first = await worker.time_of("first")
            before = _cpu_seconds(pids)
            last = await worker.time_of("last")
            used = sum(s - before.get(p, 0.0) for p, s in _cpu_seconds(pids).items())
            return Cost(used / MEASURED * 1e6, (last - first) / MEASURED * 1e6)


def _cpu_seconds(pids: Sequence[int]) -> dict[int, float]:
    """What these processes and their children have used, by process id."""
    seconds = {}
    for parent in map(psutil.Process, pids):
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds[process.pid] = times.user + times.system
    return seconds
