"""What the command line asks for."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.contestants import Contestant


@dataclass(frozen=True)
class Options:
    """`only` names figures, `against` peers' folders; empty means all."""

    rounds: int = 3
    jobs: int = 40_000
    only: Sequence[str] = ()
    against: Sequence[str] = ()
    json: bool = False
    lock: bool = False

    def peers(self, peers: Sequence[Contestant]) -> list[Contestant]:
        """Those of the peers that are wanted."""
        return [p for p in peers if not self.against or p.folder in self.against]


def parse(figures: Sequence[str], folders: Sequence[str]) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measures Switchyard and its peers; writes docs/benchmarks/.",
    )
    default = Options()
    parser.add_argument("--rounds", type=int, default=default.rounds)
    parser.add_argument("--jobs", type=int, default=default.jobs, help="jobs a round at most")
    parser.add_argument("--only", type=_names(figures), default=(), help=",".join(figures))
    parser.add_argument("--against", type=_names(folders), default=(), help=",".join(folders))
    parser.add_argument("--json", action="store_true", help="print JSON, write no files")
    parser.add_argument("--lock", action="store_true", help="pin the peers anew, measure nothing")
    return Options(**vars(parser.parse_args()))


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def split(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        if unknown := set(names).difference(known):
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
        return names

    return split
