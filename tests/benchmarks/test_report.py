"""The table and the plot, from made-up results."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import report
from tests.benchmarks.plot import bars
from tests.benchmarks.results import Limit, Result, percentile

DETAILS = {"version": "1.2", "tuning": "", "keeps": "everything"}
OURS = Result("Switchyard", "jobs/s", [900.0, 1100.0, 1000.0], details=DETAILS)
PEER = Result("peer <x>", "jobs/s", [400.0, 500.0, 450.0], details=DETAILS)
MISSING = Result("absent", "jobs/s", [], details=DETAILS, note="not measured: no node")
SLOW = Result("wait", "ms", [3.0], Limit("≤ 2", 2.0))
FAST = Result("share", "%", [80.0], Limit("≥ 80", 80.0, at_least=True))


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "TARGET", tmp_path)
    monkeypatch.setattr(report, "KEPT", tmp_path / "results.json")
    return tmp_path


def test_a_limit_is_held_against_the_median() -> None:
    assert (OURS.median, OURS.holds) == (1000.0, None)
    assert (SLOW.holds, FAST.holds) == (False, True)
    assert Result("none", "ms", [], Limit("≤ 2", 2.0)).holds is None


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert percentile([float(n) for n in range(101)], 95) == pytest.approx(95.0)


def test_the_table_tells_values_verdicts_and_why_there_is_none(target: Path) -> None:
    report.write({"dispatch": [OURS, PEER, MISSING], "idling": [SLOW, FAST]}, "a machine")
    page = (target / "table.md").read_text()
    assert "| Switchyard | 1.2 | 1,000 jobs/s (900 to 1,100) |" in page
    assert "| absent | 1.2 | not measured: no node |" in page
    assert "| wait | 3.00 ms | ≤ 2 | **not reached** |" in page
    assert "| share | 80.00 % | ≥ 80 | reached |" in page


def test_figures_that_were_not_measured_again_are_kept(target: Path) -> None:
    report.write({"dispatch": [OURS, PEER]}, "the first day")
    report.write({"idling": [SLOW]}, "the second day")
    page = (target / "table.md").read_text()
    assert "- `dispatch`: the first day\n- `idling`: the second day\n" in page
    assert "Switchyard" in page
    assert json.loads((target / "results.json").read_text()).keys() == {"dispatch", "idling"}


def test_the_plot_has_a_bar_for_each_system_that_was_measured() -> None:
    tree = ElementTree.fromstring(bars([OURS, PEER, MISSING], "a <title>"))
    boxes = tree.findall("{*}rect")
    widths = [float(box.attrib["width"]) for box in boxes]
    assert [box.attrib["class"] for box in boxes] == ["ours", "peer"]
    assert widths[1] / widths[0] == pytest.approx(0.45, rel=0.01)
    texts = [text.text for text in tree.findall("{*}text")]
    assert texts == ["a <title>", "Switchyard", "1,000", "peer <x>", "450"]
