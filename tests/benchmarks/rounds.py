"""Rounds in turn: each contestant is measured once before any is measured again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.environments import NotInstallableError
from tests.benchmarks.programs import ProgramError

Value = TypeVar("Value")


async def interleaved(
    contestants: Sequence[Contestant],
    rounds: int,
    measure: Callable[[Contestant], Awaitable[Value]],
) -> tuple[dict[str, list[Value]], dict[str, str]]:
    """The values of each contestant by its name, and for a peer that failed why it has none.

    Raises what went wrong with ourselves: that is a defect, and not a missing figure.
    """
    values: dict[str, list[Value]] = {who.name: [] for who in contestants}
    trouble: dict[str, str] = {}
    for _ in range(rounds):
        for who in contestants:
            if who.name not in trouble:
                try:
                    values[who.name].append(await measure(who))
                except (NotInstallableError, ProgramError, TimeoutError) as error:
                    if who.ours:
                        raise
                    trouble[who.name] = f"not measured: {str(error) or 'it took too long'}"
                    values[who.name].clear()
    return values, trouble
