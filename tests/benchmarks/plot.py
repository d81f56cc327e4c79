"""A bar chart as SVG: one bar a system, with the range of its rounds."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tests.benchmarks.results import Result

WIDTH, LABELS, VALUES = 760, 190, 90
ROW, BAR, TOP, BOTTOM = 34, 20, 40, 12
SCALE_WIDTH = WIDTH - LABELS - VALUES
# Both are readable on a light and on a dark page, which the style follows.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.ours { fill: #0969da } .peer { fill: #8c959f }
.range { stroke: #1f2328; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .range { stroke: #e6edf3 } .ours { fill: #4493f8 } .peer { fill: #656c76 }
}
"""


def bars(results: Sequence[Result], title: str) -> str:
    """The chart of the results that have values, in their order."""
    shown = [r for r in results if r.values]
    most = max((max(r.values) for r in shown), default=1.0)
    height = TOP + ROW * len(shown) + BOTTOM
    rows = [_row(r, TOP + ROW * n, most) for n, r in enumerate(shown)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<text class="title" x="0" y="20">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        ]
    )


def _row(result: Result, y: int, most: float) -> str:
    ours = result.name.startswith("Switchyard")
    middle = y + BAR // 2
    low, value, high = (_x(v, most) for v in (min(result.values), result.median,
                                              max(result.values)))  # fmt: skip
    return (
        f'<text x="{LABELS - 10}" y="{middle + 5}" text-anchor="end">{escape(result.name)}</text>'
        f'<rect class="{"ours" if ours else "peer"}" x="{LABELS}" y="{y}" '
        f'width="{value - LABELS:.1f}" height="{BAR}" rx="2"/>'
        f'<path class="range" d="M{low:.1f} {middle}H{high:.1f}'
        f'M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"/>'
        f'<text x="{high + 8:.1f}" y="{middle + 5}">{result.median:,.0f}</text>'
    )


def _x(value: float, most: float) -> float:
    return LABELS + value / most * SCALE_WIDTH
