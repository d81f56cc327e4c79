"""No-op jobs a second, one worker process: Switchyard beside its peers, rounds interleaved.

The queue is filled beforehand. A rate is the number of jobs over the time from the first handler's
start until nothing is left in the system's own store.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence

from tests.benchmarks.contestants import ENGINE, PEERS, SWITCHYARD, Contestant, Tuning
from tests.benchmarks.options import Options
from tests.benchmarks.programs import WORK_SECONDS, Programs
from tests.benchmarks.results import Limit, Result
from tests.benchmarks.rounds import interleaved
from tests.benchmarks.stage import Stage

POLL_SECONDS = 0.005
# Enough to tell good tunings from bad ones.
TRIAL = 0.25
COMPARISONS = (
    ("Switchyard", "BullMQ", Limit("> 1", 1.0, at_least=True)),
    ("Switchyard", "pgqueuer", Limit("> 1", 1.0, at_least=True)),
    ("Switchyard, ledger off", "BullMQ", Limit("≥ 2", 2.0, at_least=True)),
)
_PLAIN = str.maketrans("", "", '{}"')


async def measure(stage: Stage, options: Options) -> list[Result]:
    """A result for each contestant, the fastest first, then how we compare."""
    tunings: dict[str, Tuning] = {}

    async def once(who: Contestant) -> float:
        if who.name not in tunings:
            tunings[who.name] = await _best_tuning(stage, who, int(options.jobs * TRIAL))
        return await rate(stage, who, tunings[who.name], options.jobs)

    contestants = [SWITCHYARD, ENGINE, *options.peers(PEERS)]
    rates, trouble = await interleaved(contestants, options.rounds, once)
    results = [
        Result(who.name, "jobs/s", rates[who.name], details=_details(who, tunings),
               note=trouble.get(who.name, ""))
        for who in contestants
    ]  # fmt: skip
    return sorted(results, key=lambda r: -r.median) + _comparisons(rates)


async def rate(stage: Stage, who: Contestant, tuning: Tuning, jobs: int) -> float:
    """Jobs a second. Raises ProgramError or TimeoutError when they were not all run."""
    programs = Programs(stage, who, tuning)
    count = max(int(jobs * who.share), 1000)
    await stage.clear()
    if who.prepares:
        await programs.run("prepare", count)
    await programs.run("fill", count)
    await stage.settle()
    async with programs.running("work", count) as worker:
        first = await worker.time_of("first")
        await worker.time_of("last")
        await _nothing_left(stage, who)
        return count / (time.time() - first)


async def _best_tuning(stage: Stage, who: Contestant, jobs: int) -> Tuning:
    if len(who.tunings) == 1:
        return who.tunings[0]
    tried = [(await rate(stage, who, tuning, jobs), tuning) for tuning in who.tunings]
    return max(tried, key=lambda t: t[0])[1]


async def _nothing_left(stage: Stage, who: Contestant) -> None:
    async with asyncio.timeout(WORK_SECONDS):
        while await (stage.sql(who.left) if who.in_postgres else stage.lua(who.left)):
            await asyncio.sleep(POLL_SECONDS)


def _details(who: Contestant, tunings: Mapping[str, Tuning]) -> dict[str, str]:
    tuning = "" if who.ours else json.dumps(tunings.get(who.name, {})).translate(_PLAIN)
    return {"version": who.version, "tuning": tuning, "keeps": who.keeps}


def _comparisons(rates: Mapping[str, Sequence[float]]) -> list[Result]:
    return [
        Result(f"{a} ÷ {b}", "", [x / y for x, y in zip(rates[a], rates[b], strict=True)], limit)
        for a, b, limit in COMPARISONS
        if rates.get(a) and rates.get(b)
    ]
