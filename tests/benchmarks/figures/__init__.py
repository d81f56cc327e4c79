"""What is measured: one module a figure, or two that are alike."""

from collections.abc import Awaitable, Callable

from tests.benchmarks.figures import (
    cancelling,
    dispatch,
    growth,
    idling,
    intake,
    latency,
    processes,
    together,
)
from tests.benchmarks.options import Options
from tests.benchmarks.results import Result
from tests.benchmarks.stage import Stage

Measure = Callable[[Stage, Options], Awaitable[list[Result]]]

FIGURES: dict[str, Measure] = {
    "dispatch": dispatch.measure,
    "idle-latency": latency.idle,
    "busy-latency": latency.busy,
    "together": together.measure,
    "processes": processes.measure,
    "cancelling": cancelling.measure,
    "intake": intake.measure,
    "idling": idling.measure,
    "growth": growth.measure,
}
