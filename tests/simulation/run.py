"""Runs the world of one seed, and tells what was wrong with it."""

import gc
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from unittest.mock import patch

import structlog

import worker.engine.engine
from tests.simulation.checker import check
from tests.simulation.clock import nothing_to_say, simulated
from tests.simulation.host import SimulatedWatchdog
from tests.simulation.loop import SimulatedLoop, current_process
from tests.simulation.plan import Plan
from tests.simulation.trace import Trace
from tests.simulation.world import World
from worker.metrics import JOBS_IN_PROGRESS

# What an engine logs when it is defective; outages and lost jobs have other names.
DEFECTS = {"loop.crashed", "start.crashed", "job.crashed"}


@dataclass
class Result:
    """What came of a seed."""

    seed: int
    problems: list[str]
    seconds: float
    jobs: int
    trace: list[str] = field(repr=False)

    def report(self, lines: int) -> str:
        """What is wrong, the end of the trace, and how to see it again."""
        if not self.problems:
            return f"seed {self.seed} is well: {self.jobs} jobs in {self.seconds:.1f} s"
        problems = [f"  {problem}" for problem in self.problems[:10]]
        end = self.trace[-lines:] if lines else []
        again = f"again: python -m tests.simulation --seed {self.seed}"
        return "\n".join([f"seed {self.seed} failed:", *problems, *end, again])


def run_seed(seed: int, *, plan: Callable[[Random], Plan] = Plan.of, logs: bool = False) -> Result:
    """Live through the seed's world. `logs` puts all that the engine logs into the trace."""
    with nothing_to_say():
        result = _run_seed(seed, plan, logs)
        gc.collect()
    return result


def _run_seed(seed: int, plan: Callable[[Random], Plan], logs: bool) -> Result:
    random = Random(seed)
    loop = SimulatedLoop(random)
    watchdog = patch.object(worker.engine.engine, "Watchdog", SimulatedWatchdog)
    try:
        with simulated(loop, seed), watchdog:
            world = World(loop, random, plan(random))
            with _logs_into(world.trace, everything=logs):
                return _lived(world, seed)
    finally:
        _throw_away(loop)


def _lived(world: World, seed: int) -> Result:
    loop = world.loop
    loop.set_exception_handler(lambda _, context: world.trace.violated(_unhandled(context)))
    began = loop.time()
    try:
        loop.run_until_complete(world.live())
    except Exception as error:  # noqa: BLE001  whatever ends a world is told with its trace
        world.trace.violated(f"the world ended: {type(error).__name__}: {error}")
    problems = check(world)
    return Result(seed, problems, loop.time() - began, len(world.submitted), world.trace.lines())


def _unhandled(context: dict[str, Any]) -> str:
    return f"unhandled: {context.get('message')} {context.get('exception')!r}"


def _last_lines(text: str) -> str:
    """Where an exception came from, and what it says."""
    lines = [line.strip() for line in text.strip().splitlines() if "^^^" not in line]
    return " / ".join(lines[-3:])


def _throw_away(loop: SimulatedLoop) -> None:
    for task in loop.pending():
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    # The gauge would keep the last engines, and with them their world.
    JOBS_IN_PROGRESS.clear()
    loop.close()


@contextmanager
def _logs_into(trace: Trace, *, everything: bool) -> Iterator[None]:
    def take(_: Any, level: str, event: MutableMapping[str, Any]) -> Any:
        process = current_process()
        name = event.pop("event")
        if event.pop("exc_info", False):
            event["error"] = _last_lines(traceback.format_exc())
        if name in DEFECTS:
            trace.violated(f"logged: {name} {event}")
        trace.note(process.name if process else "world", f"{level}: {name}", **event)
        raise structlog.DropEvent

    before = structlog.get_config()
    level = 10 if everything else 30
    structlog.configure(
        processors=[take],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
