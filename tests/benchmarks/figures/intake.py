"""Signed pushes committed and acknowledged, by the script that measures them alone."""

import asyncio
import re
import sys

from tests.benchmarks.contestants import ROOT
from tests.benchmarks.options import Options
from tests.benchmarks.programs import WORK_SECONDS, ProgramError
from tests.benchmarks.results import Limit, Result
from tests.benchmarks.stage import Stage

TOLD = re.compile(r"([\d,]+)/s, p50 [\d.]+ ms, p99 ([\d.]+) ms, (\d+) accepted, 0 refused")


async def measure(stage: Stage, options: Options) -> list[Result]:
    """Pushes a second over 64 connections to one web process, and the slow ones' wait."""
    told = [await _round(stage) for _ in range(options.rounds)]
    name = "signed 5 kB pushes, one web process, 64 connections"
    enough = Limit("≥ 6,000", 6000.0, at_least=True)
    return [
        Result(name, "a second", [rate for rate, _ in told], enough),
        Result(f"{name}: p99", "ms", [p99 for _, p99 in told], Limit("≤ 40", 40.0)),
    ]


async def _round(stage: Stage) -> tuple[float, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.intake", cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        process_group=stage.process_group,
    )  # fmt: skip
    async with asyncio.timeout(WORK_SECONDS):
        output, errors = (text.decode() for text in await process.communicate())
    found = TOLD.search(output)
    if process.returncode or found is None:
        raise ProgramError(f"the intake benchmark failed: {output[-500:]}{errors[-1000:]}")
    return float(found[1].replace(",", "")), float(found[2])
