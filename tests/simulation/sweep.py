"""Runs many seeds, shared among processes."""

import gc
import time
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context

from tests.simulation.run import run_seed


@dataclass(frozen=True)
class Sweep:
    """Which seeds, for how many seconds, and how many failed ones are enough."""

    first: int
    last: float
    seconds: float
    most: int
    lines: int
    processes: int

    def run(self) -> tuple[int, int]:
        """How many seeds lived, and how many of them failed; those are told of as they come."""
        with get_context("spawn").Pool(self.processes) as pool:
            done = pool.map(self.share, range(self.processes))
        lived, failed = (sum(column) for column in zip(*done, strict=True))
        return lived, failed

    def share(self, number: int) -> tuple[int, int]:
        """Every n-th seed, in this process."""
        # What lives as long as the process need not be looked at after every world.
        gc.freeze()
        deadline = time.monotonic() + self.seconds
        lived = failed = 0
        for seed in count(self.first + number, self.processes):
            if seed > self.last or time.monotonic() > deadline or failed >= self.most:
                break
            result = run_seed(seed)
            lived += 1
            if result.problems:
                failed += 1
                print(result.report(self.lines), flush=True)  # noqa: T201
        return lived, failed
