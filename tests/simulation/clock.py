"""Makes the product read the virtual clock and the seed's chance instead of the machine's."""

import gc
import os
import random
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import structlog

import worker.jobs.ids
from tests.simulation.loop import SimulatedLoop


@contextmanager
def simulated(loop: SimulatedLoop, seed: int) -> Iterator[None]:
    """Within this block time and chance are the seed's."""
    chance = Random(f"chance {seed}")
    before = random.getstate()
    random.seed(seed)
    with (
        patch.object(time, "monotonic", loop.time),
        patch.object(time, "perf_counter", loop.time),
        patch.object(time, "time", loop.wall_clock),
        patch.object(time, "time_ns", lambda: int(loop.wall_clock() * 1e9)),
        patch.object(os, "urandom", chance.randbytes),
        patch.object(worker.jobs.ids, "_last", 0),
        _quiet_collector(),
    ):
        try:
            yield
        finally:
            random.setstate(before)


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """No collection, whose moment nobody chooses, while the world lives."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def nothing_to_say() -> Iterator[None]:
    """While a world is thrown away, its tasks are destroyed in the middle of what they did."""
    hook, logs = sys.unraisablehook, structlog.get_config()
    sys.unraisablehook = lambda _: None
    structlog.configure(processors=[_drop])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook
        structlog.configure(**logs)


def _drop(*_: object) -> Any:
    raise structlog.DropEvent
