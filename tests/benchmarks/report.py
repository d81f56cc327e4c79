"""The table and the plot below docs/benchmarks/, from the figures that are kept beside them.

Measuring only some of the figures leaves the others as they were, each with its own day.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks import plot
from tests.benchmarks.contestants import ROOT
from tests.benchmarks.figures import FIGURES
from tests.benchmarks.results import Result

TARGET = ROOT / "docs" / "benchmarks"
KEPT = TARGET / "results.json"
TITLE = "No-op jobs a second, one worker process"


def write(measured: Mapping[str, Sequence[Result]], conditions: str) -> None:
    """Keep what was measured, and write everything that is kept as a table and a plot."""
    TARGET.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name, new in measured.items():
        kept[name] = {"conditions": conditions, "results": [r.document() for r in new]}
    kept = {name: kept[name] for name in FIGURES if name in kept}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    results = {name: [Result.of(d) for d in some["results"]] for name, some in kept.items()}
    systems = [r for some in results.values() for r in some if r.details]
    (TARGET / "table.md").write_text(_page(kept, results, systems), encoding="utf-8")
    (TARGET / "jobs.svg").write_text(plot.bars(systems, TITLE), encoding="utf-8")


def line(result: Result) -> str:
    """A result on a terminal."""
    limit = f"must be {result.limit.words}: {_verdict(result)}" if result.limit else ""
    return f"  {result.name:<58} {_range(result):<34} {limit}{result.note}".rstrip()


def _page(
    kept: Mapping[str, Any], results: Mapping[str, Sequence[Result]], systems: Sequence[Result]
) -> str:
    figures = [r for some in results.values() for r in some if not r.details]
    by_conditions: dict[str, list[str]] = {}
    for name, some in kept.items():
        by_conditions.setdefault(some["conditions"], []).append(f"`{name}`")
    return "\n".join(
        [
            "# Figures",
            "",
            "Written by `python -m tests.benchmarks`; [how it is measured](../benchmarks.md).",
            "",
            *(f"- {', '.join(names)}: {words}" for words, names in by_conditions.items()),
            "",
            f"## {TITLE}",
            "",
            *_table(("system", "version", "jobs/s, median (range)", "tuning", "keeps"),
                    (_system(r) for r in systems)),
            "",
            "## Every figure",
            "",
            *_table(("figure", "median (range)", "must be", ""), (_figure(r) for r in figures)),
            "",
        ]
    )  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _system(result: Result) -> list[str]:
    details = result.details
    return [result.name, details["version"], _range(result) or result.note, details["tuning"],
            details["keeps"]]  # fmt: skip


def _figure(result: Result) -> list[str]:
    limit = result.limit.words if result.limit else ""
    return [result.name, _range(result) or result.note, limit, _verdict(result)]


def _verdict(result: Result) -> str:
    return {None: "", True: "reached", False: "**not reached**"}[result.holds]


def _range(result: Result) -> str:
    if not result.values:
        return ""
    low, middle, high = (
        _number(v) for v in (min(result.values), result.median, max(result.values))
    )
    unit = f" {result.unit}" if result.unit else ""
    return f"{middle}{unit}" + (f" ({low} to {high})" if len(result.values) > 1 else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
