"""Remarks that accept a finding."""

import pytest

from tests.artifacts.documents import record, stored

HEAD = "# Story 1.1: X\n\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "<!-- conflict-ok: S1 boxes are ticked at release -->",
            [("S1", "boxes are ticked at release")],
        ),
        ("text <!--conflict-ok: G1b--> text", [("G1b", "")]),
        ("<!-- conflict-ok: S1, Y1 - imported -->", [("S1", "imported"), ("Y1", "imported")]),
        ("<!-- conflict-ok: L1 a --> <!-- conflict-ok: L2 b -->", [("L1", "a"), ("L2", "b")]),
        ("<!-- conflict-ok: E-YAML known", [("E-YAML", "known")]),
        ("<!-- conflict-ok -->", []),
        ("<!-- conflict-ok: -->", []),
        ("`<!-- conflict-ok: S1 an example -->`", []),
        ("conflict-ok: S1 not in a comment", []),
    ],
)
def test_in_markdown(line: str, expected: list[tuple[str, str]]) -> None:
    story = record("docs/stories/1.1.story.md", f"{HEAD}{line}\n")
    assert [(s.code, s.reason) for s in story.suppressions] == expected
    assert all(s.line == 3 for s in story.suppressions)


def test_an_example_in_a_code_block_is_none() -> None:
    text = f"{HEAD}```\n<!-- conflict-ok: S1 x -->\n```\n"
    assert record("docs/stories/1.1.story.md", text).suppressions == ()


def test_in_front_matter() -> None:
    text = "---\ntitle: x\nstatus: done # conflict-ok: S1 x\n---\n# Story 1.1: X\n"
    (found,) = record("docs/stories/1.1.story.md", text).suppressions
    assert (found.code, found.reason, found.line) == ("S1", "x", 3)


def test_in_a_gate() -> None:
    gate = record(
        "docs/qa/gates/1.1.yml", "gate: FAIL\n# conflict-ok: G1 x: y\nnote: '#conflict'\n"
    )
    assert [(s.code, s.reason, s.line) for s in gate.suppressions] == [("G1", "x: y", 2)]


def test_in_a_sprint_status() -> None:
    (found,) = stored("sprint-status.yaml").suppressions
    assert (found.code, found.line) == ("Y1", 2)
