"""The engine holds under the faults of any seed, and the simulation would see it if it did not."""

import subprocess
import sys

import pytest

from tests.simulation.defects import DEFECTS
from tests.simulation.run import run_seed

SEEDS = 20
# How many worlds a defect may survive.
FOUND_WITHIN = 100


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_the_engine_holds(seed: int) -> None:
    result = run_seed(seed)
    assert not result.problems, result.report(lines=60)


def test_a_seed_is_always_the_same_world() -> None:
    first, second = (run_seed(11, logs=True).trace for _ in range(2))
    assert len(first) > 100
    assert first == second


def test_a_seed_is_the_same_world_in_another_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "11"]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    first, second = (_without_process_ids(r.stdout) for r in runs)
    assert len(first) > 100
    assert first == second


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(name: str) -> None:
    defect = DEFECTS[name]
    with defect.put_in():
        worlds = (run_seed(seed, plan=defect.plan) for seed in range(1, FOUND_WITHIN + 1))
        assert any(world.problems for world in worlds)


def _without_process_ids(output: str) -> list[str]:
    # An engine's id has the process's in it, host:pid:number.
    lines = output.splitlines()
    return [" ".join(w for w in line.split() if not w.startswith("worker=")) for line in lines]
