"""From enqueueing a job to its handler's first line: idle, and at a steady rate.

The clock starts before the job is enqueued, so that ours includes the commit of its row.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tests.benchmarks.contestants import PEERS, SWITCHYARD, Contestant
from tests.benchmarks.options import Options
from tests.benchmarks.programs import Programs
from tests.benchmarks.results import Limit, Result, percentile
from tests.benchmarks.rounds import interleaved
from tests.benchmarks.stage import Stage

WARM_UP_SECONDS = 1.0


class Load(NamedTuple):
    """So many jobs, so many a second."""

    jobs: int
    rate: float


IDLE, BUSY = Load(200, 20.0), Load(3000, 300.0)


async def idle(stage: Stage, options: Options) -> list[Result]:
    """One job at a time, the worker asleep in between."""
    limits = {50: Limit("≤ 2", 2.0), 95: Limit("≤ 5", 5.0)}
    return await _results(stage, options, "idle, enqueue to start", IDLE, limits)


async def busy(stage: Stage, options: Options) -> list[Result]:
    """300 jobs a second, evenly."""
    limits = {95: Limit("≤ 10", 10.0)}
    return await _results(stage, options, "300 jobs/s, enqueue to start", BUSY, limits)


async def _results(
    stage: Stage, options: Options, name: str, load: Load, limits: Mapping[int, Limit]
) -> list[Result]:
    contestants = [SWITCHYARD, *(p for p in options.peers(PEERS) if p.sends)]
    waits, trouble = await interleaved(
        contestants, options.rounds, lambda who: _waits(stage, who, load)
    )
    return [
        Result(f"{name}, p{percent}: {who.name}", "ms",
               [percentile(w, percent) for w in waits[who.name]],
               limit if who.ours else None, note=trouble.get(who.name, ""))
        for percent, limit in limits.items() for who in contestants
    ]  # fmt: skip


async def _waits(stage: Stage, who: Contestant, load: Load) -> list[float]:
    jobs, rate = load.jobs, load.rate
    programs = Programs(stage, who, who.tunings[0])
    await stage.clear()
    if who.prepares:
        await programs.run("prepare", jobs)
    async with programs.running("work", jobs + 1) as worker:
        await programs.run("send", 1, rate)
        await worker.time_of("first")
        await programs.run("send", jobs, rate)
        waits: list[float] = (await worker.told())["waits"]
        return waits[1 + int(rate * WARM_UP_SECONDS) :]
