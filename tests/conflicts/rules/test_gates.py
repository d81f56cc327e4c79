"""Quality gates against stories."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story
from worker.conflicts.base import OwnVerdict

STORY = "docs/stories/2.3.story.md"
GATE = "docs/qa/gates/2.3-mint-a-token.yml"


def gate(story: str, verdict: str, updated: str = "2025-03-01", more: str = "") -> str:
    return f"schema: 1\nstory: '{story}'\ngate: {verdict}\nupdated: '{updated}'\n{more}"


def test_a_story_is_done_despite_its_failed_gate() -> None:
    files = {STORY: story("2.3"), GATE: gate("2.3", "FAIL")}
    (found,) = findings(files, "G1", "G1b")
    assert brief([found]) == [("G1", "error", [(STORY, 3), (GATE, 3)])]
    assert [e.quote for e in found.evidence] == ["Done", "FAIL"]


def test_concerns_are_allowed_and_told() -> None:
    files = {STORY: story("2.3"), GATE: gate("2.3", "CONCERNS")}
    assert brief(findings(files, "G1", "G1b")) == [("G1b", "info", [(STORY, 3), (GATE, 3)])]


@pytest.mark.parametrize(
    ("status", "verdict", "more"),
    [("Done", "PASS", ""), ("Review", "FAIL", ""), ("Done", "WAIVED", ""),
     ("Done", "FAIL", "waiver:\n  active: true\n  reason: shown to nobody\n")],
)  # fmt: skip
def test_no_conflict_with_a_gate(status: str, verdict: str, more: str) -> None:
    files = {STORY: story("2.3", status), GATE: gate("2.3", verdict, more=more)}
    assert findings(files, "G1", "G1b") == []


def test_the_newest_gate_counts() -> None:
    files = {
        STORY: story("2.3"),
        GATE: gate("2.3", "FAIL", "2025-03-01"),
        "docs/qa/gates/2.3-second-look.yml": gate("2.3", "PASS", "2025-03-09"),
    }
    assert findings(files, "G1") == []
    files["docs/qa/gates/2.3-third-look.yml"] = gate("2.3", "FAIL", "2025-03-10")
    assert [f.evidence[1].path for f in findings(files, "G1")] == [
        "docs/qa/gates/2.3-third-look.yml"
    ]


def test_a_gate_without_its_story() -> None:
    found = findings({GATE: gate("2.3", "PASS")}, "G2")
    assert brief(found) == [("G2", "warning", [(GATE, 2)])]
    assert findings({GATE: gate("2.3", "PASS"), STORY: story("2.3", "Draft")}, "G2") == []


def test_a_gate_named_after_another_story() -> None:
    found = findings({GATE: gate("5.3", "PASS")}, "G3")
    assert brief(found) == [("G3", "error", [(GATE, 2)])]
    assert (found[0].expected, found[0].actual) == ("2.3", "5.3")


@pytest.mark.parametrize(
    ("name", "written"),
    [("2.3-mint.yml", "2.3"), ("2.3.7-days-of-grace.yml", "2.3"), ("02.03-mint.yml", "2.3")],
)
def test_a_number_that_begins_the_slug_is_none_of_the_id(name: str, written: str) -> None:
    assert findings({f"docs/qa/gates/{name}": gate(written, "PASS")}, "G3") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [("story: '2.3'\nupdated: today\n", 1), ("story: '2.3'\ngate: PASS\n**Key:**\n- a: [\n", 3)],
)
def test_a_gate_that_nobody_can_read(text: str, line: int) -> None:
    assert brief(findings({GATE: text}, "G5")) == [("G5", "error", [(GATE, line)])]


@pytest.mark.parametrize("key", ["gate_decision", "decision", "verdict", "status"])
def test_other_names_for_the_verdict_are_read(key: str) -> None:
    assert findings({GATE: f"story: '2.3'\n{key}: PASS\n"}, "G5") == []


def own(verdict: str, gate_type: str = "unit-tests") -> OwnVerdict:
    return OwnVerdict(gate_type, verdict, "0123456789abcdef", "2025-03-01T10:00:00Z")


def test_a_check_run_here_failed_for_a_done_story() -> None:
    verdicts = {"2.3": [own("fail"), own("pass", "lint")]}
    (found,) = findings({STORY: story("2.3")}, "G4", verdicts=verdicts)
    assert brief([found]) == [("G4", "error", [(STORY, 3)])]
    assert "unit-tests failed" in found.message
    assert "0123456789ab" in found.message


@pytest.mark.parametrize(
    ("status", "verdict"), [("Done", "pass"), ("Review", "fail"), ("Done", "vacuous")]
)
def test_other_verdicts_contradict_nothing(status: str, verdict: str) -> None:
    verdicts = {"2.3": [own(verdict)]}
    assert findings({STORY: story("2.3", status)}, "G4", verdicts=verdicts) == []
