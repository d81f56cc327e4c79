"""`python -m tests.simulation --seed 7`, or `--seeds 1..500`, or `--seconds 60`."""

import argparse
import os
import sys
import time

from tests.simulation.run import run_seed
from tests.simulation.sweep import Sweep


def main() -> int:
    """Run what was asked for; 1 when a seed failed."""
    arguments = _parser().parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of some sets depends on it, and with it everything that follows.
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
                  os.environ | {"PYTHONHASHSEED": "0"})  # fmt: skip
    if arguments.seed is not None:
        return _tell_in_full(arguments.seed)
    began = time.monotonic()
    first, last = arguments.seeds
    lived, failed = Sweep(
        first, last, arguments.seconds, arguments.most, arguments.lines, arguments.processes
    ).run()
    _say(f"{lived} seeds, {failed} failed, {time.monotonic() - began:.1f} s")
    return int(failed > 0)


def _tell_in_full(seed: int) -> int:
    result = run_seed(seed, logs=True)
    _say("\n".join(result.trace))
    _say(result.report(lines=0))
    return int(bool(result.problems))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _range(text: str) -> tuple[int, float]:
    first, _, last = text.partition("..")
    return int(first), int(last) if last else float("inf")


def _parser() -> argparse.ArgumentParser:
    endless = float("inf")
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat one seed, with its whole trace")
    parser.add_argument("--seeds", type=_range, default=(1, endless), help="FIRST..LAST or FIRST..")
    parser.add_argument("--seconds", type=float, default=endless, help="stop after so many seconds")
    parser.add_argument("--most", type=int, default=3, help="stop after so many failed seeds")
    parser.add_argument("--lines", type=int, default=40, help="of the trace of a failed seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
