"""How long a check of a local repository takes: `python -m tests.benchmarks.conflicts`.

Cold: a process of its own for each round reads a repository of 1,000 documents in git, and checks
it; its start is told apart. Memory: one process reads and checks a smaller repository 1,000 times.
The exit code is 1 when a limit is not kept.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.benchmarks.documents import repository
from tests.git.origins import Origin
from worker.conflicts.checking import check
from worker.conflicts.local import read_local

COLD_SECONDS = 1.5
GROWTH_BYTES = 10_000_000
WARM_UP = 50
# Imports are not part of what is measured: a worker has them already.
COLD = """
import sys, time
from pathlib import Path
from worker.conflicts.checking import check
from worker.conflicts.local import read_local
started = time.perf_counter()
local = read_local(Path(sys.argv[1]))
read = time.perf_counter()
found = check(local.artifacts, local.world())
print(len(local.artifacts), len(found), read - started, time.perf_counter() - read)
"""


def main() -> int:
    """Print medians, lowest and highest, and the growth of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scans", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        seconds = _cold(Path(directory) / "cold", options.documents, options.rounds)
        growth = _growth(Path(directory) / "growth", options.scans) if options.scans else 0
    return int(seconds > COLD_SECONDS or growth > GROWTH_BYTES)


def _cold(path: Path, documents: int, rounds: int) -> float:
    place = _origin(path, documents)
    measured = [_round(place) for _ in range(rounds)]
    artifacts, findings = (int(measured[0][0]), int(measured[0][1]))
    print(f"{artifacts} artifacts, {findings} findings; limit {COLD_SECONDS} s")
    totals = [read + checked for *_, read, checked in measured]
    _show("read, s", [read for *_, read, _ in measured])
    _show("checked, s", [checked for *_, checked in measured])
    _show("both, s", totals)
    _show("the command with its start, s", [_command(place) for _ in range(rounds)])
    return statistics.median(totals)


def _round(place: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", COLD, place], stdout=subprocess.PIPE, check=True)
    return [float(word) for word in done.stdout.split()]


def _command(place: Path) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "worker.cli", "conflicts", str(place), "--fail-on", "never"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _growth(path: Path, scans: int) -> int:
    place, process = _origin(path, 60), psutil.Process()
    for _ in range(WARM_UP):
        _scan(place)
    before = process.memory_info().rss
    for _ in range(scans):
        _scan(place)
    growth = int(process.memory_info().rss - before)
    print(f"memory after {scans} scans: {growth / 1e6:+.1f} MB; limit {GROWTH_BYTES / 1e6} MB")
    return growth


def _scan(place: Path) -> None:
    local = read_local(place)
    check(local.artifacts, local.world())


def _origin(path: Path, documents: int) -> Path:
    origin = Origin(path)
    origin.commit(repository(documents))
    return origin.path


def _show(name: str, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    print(f"{name:<32} {statistics.median(values):>6.2f}   ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    sys.exit(main())
