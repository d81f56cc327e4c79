"""Measures Switchyard and its peers: `python -m tests.benchmarks`, or `make bench`."""

import asyncio
import json
import sys
from datetime import UTC, datetime

from tests.benchmarks import report
from tests.benchmarks.contestants import PEERS
from tests.benchmarks.environments import relock
from tests.benchmarks.figures import FIGURES
from tests.benchmarks.machine import describe
from tests.benchmarks.options import Options, parse
from tests.benchmarks.results import Result
from tests.benchmarks.stage import Stage, stage


def main() -> int:
    """Measure what the command line asks for; answers 1 when a limit is not reached."""
    options = parse([*FIGURES], [p.folder for p in PEERS])
    if options.lock:
        for peer in options.peers(PEERS):
            relock(peer)
        return 0
    with stage() as place:
        measured = asyncio.run(_measure(place, options))
        machine = asyncio.run(describe(place))
    if options.json:
        document = {name: [r.document() for r in rs] for name, rs in measured.items()}
        print(json.dumps({"machine": machine, "figures": document}, indent=2, ensure_ascii=False))
    else:
        report.write(measured, f"{machine}; rounds: {options.rounds}, {datetime.now(UTC):%Y-%m-%d}")
    return int(any(r.holds is False for rs in measured.values() for r in rs))


async def _measure(place: Stage, options: Options) -> dict[str, list[Result]]:
    measured = {}
    for name in options.only or FIGURES:
        print(f"measuring {name}", file=sys.stderr)
        measured[name] = await FIGURES[name](place, options)
        for result in measured[name]:
            print(report.line(result), file=sys.stderr)
    return measured


if __name__ == "__main__":
    sys.exit(main())
