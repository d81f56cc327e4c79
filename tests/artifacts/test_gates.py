"""Quality gates: spellings of a verdict, and YAML that is none."""

import pytest

from tests.artifacts.documents import codes, record, stored
from worker.artifacts import parse
from worker.artifacts.model import Issue, Waiver

PATH = "docs/qa/gates/2.3-export.yml"


def test_a_gate() -> None:
    gate = stored("2.3-export-ledger.yml")
    assert (gate.id, gate.kind, gate.story, gate.epic) == ("gate-2.3", "gate", "2.3", "2")
    assert (gate.title, gate.owner) == ("Export the ledger", "Quinn")
    assert gate.status is not None
    assert gate.status.model_dump() == {"raw": "CONCERNS", "normalized": "concerns", "line": 4}
    found = gate.gate
    assert found is not None
    assert (found.verdict, found.score) == ("CONCERNS", 82.5)
    assert (found.updated, found.expires) == ("2025-04-31T10:00:00Z", "2025-05-14")
    assert found.waiver == Waiver(active=True, reason="Release on Friday", approved_by="Noor")
    assert found.issues == (
        Issue(
            id="TEST-001",
            severity="medium",
            finding="No test for a slow reader",
            action="Add one with a full pipe",
        ),
        Issue(id="PERF-001", severity="low", finding="Batches of 10", action=None),
    )
    assert gate.warnings == ()


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("gate: PASS", "PASS"),
        ("gate: pass  # with a remark", "PASS"),
        ("decision: FAIL", "FAIL"),
        ("gate_decision: WAIVED", "WAIVED"),
        ("verdict: '✅ PASS'", "PASS"),
        ("gate: {decision: CONCERNS}", "CONCERNS"),
        ("gate: PASS WITH CONCERNS", "CONCERNS"),
        ("story: 2.3\nstatus: Approved", "PASS"),
        ("status: In Review\ngate: FAIL", "FAIL"),
    ],
)
def test_spellings_of_the_verdict(text: str, verdict: str) -> None:
    gate = record(PATH, text + "\n").gate
    assert gate is not None
    assert gate.verdict == verdict


@pytest.mark.parametrize(
    ("text", "code"),
    [("story: 2.3", "no_verdict"), ("gate: ''", "no_verdict"), ("gate: MAYBE", "unknown_verdict")],
)
def test_a_gate_without_a_verdict_is_flagged(text: str, code: str) -> None:
    gate = record(PATH, text + "\n")
    assert gate.gate is not None
    assert gate.gate.verdict is None
    assert codes(gate) == [code]


def test_a_number_stays_as_written() -> None:
    gate = record("docs/qa/gates/1.10-export.yml", "story: 1.10\ngate: PASS\n")
    assert (gate.story, gate.warnings) == ("1.10", ())


def test_the_story_that_the_gate_names_wins_over_its_file() -> None:
    gate = record("docs/qa/gates/11.1-events.yml", "gate: PASS\nstory: 14.1\n")
    assert (gate.id, gate.story, codes(gate)) == ("gate-11.1", "14.1", ["id_mismatch"])
    assert gate.warnings[0].line == 2


@pytest.mark.parametrize(
    "junk",
    ["**Findings:**\n- *bold* text: [unclosed", "\tindented: by a tab", "a: b: c", "x: *gone"],
)
def test_what_is_not_yaml_is_read_line_by_line(junk: str) -> None:
    text = f'story: "2.3"\ngate: FAIL\nquality_score: 40\nreviewer: Quinn\n{junk}\n'
    gate = record(PATH, text)
    assert codes(gate) == ["invalid_yaml"]
    assert gate.gate is not None
    assert (gate.story, gate.owner) == ("2.3", "Quinn")
    assert (gate.gate.verdict, gate.gate.score) == ("FAIL", 40.0)


def test_an_inline_waiver_survives_the_line_scan() -> None:
    gate = record(PATH, "gate: WAIVED\nwaiver: { active: true }\nnotes: a: b\n").gate
    assert gate is not None
    assert gate.waiver == Waiver(active=True)


def test_a_block_waiver() -> None:
    gate = record(PATH, "gate: PASS\nwaiver:\n  active: false\n").gate
    assert gate is not None
    assert gate.waiver == Waiver(active=False)


@pytest.mark.parametrize("text", ["- a\n- b\n", "on: push\njobs: {}\n", "", "just words\n"])
def test_other_yaml_is_no_gate(text: str) -> None:
    assert parse(PATH, "b", text.encode()) is None
