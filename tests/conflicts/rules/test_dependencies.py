"""What has to come first."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

PATH = "docs/stories/2.4.story.md"


def needing(text: str, number: str = "2.4", status: str = "Done") -> str:
    return story(number, status, body=f"## Dependencies\n\n{text}\n")


def eip(number: int, status: str, requires: str) -> dict[str, str]:
    text = (
        f"---\neip: {number}\ntitle: Shelter\nstatus: {status}\ntype: Meta\n"
        f"created: 2020-01-0{number % 9 + 1}\nrequires: {requires}\n---\n\n## Abstract\n\nRain.\n"
    )
    return {f"EIPS/eip-{number}.md": text}


def test_a_story_depends_on_one_that_nobody_has_heard_of() -> None:
    (found,) = findings({PATH: needing("- Story 2.9 must be merged")}, "P1")
    assert brief([found]) == [("P1", "warning", [(PATH, 16)])]
    assert found.evidence[0].quote == "- Story 2.9 must be merged"


@pytest.mark.parametrize(
    "text",
    [
        "- Story 2.1 must be merged",
        "- Enables Story 2.9",
        "- Blocks: Story 2.9",
        "- Stories 2.1-2.4",
        "- Story 2.9 can start in parallel",
        "- Version 2.9 of the library",
        "- Story 2.2 must be merged",
        "- Tech Spec: `docs/spec.md` (Story 2.9)",
        "- None",
    ],
)
def test_a_story_depends_on_nothing_unknown(text: str) -> None:
    others = {f"docs/stories/{n}.story.md": story(n) for n in ("2.1", "2.2a", "2.2b")}
    assert findings({PATH: needing(text)} | others, "P1") == []


@pytest.mark.parametrize(
    "told",
    [
        {"docs/epics/epic-2.md": "# Epic 2: Tokens\n\n**Status:** Draft\n\n## Story 2.9: Show\n"},
        {"docs/sprint-artifacts/sprint-status.yaml": "development_status:\n  2-9-show: backlog\n"},
        {"docs/stories/2.7.story.md": story("2.7", body="## Progress: Story 2.9 - Showing\n")},
    ],
)
def test_a_planned_story_is_known(told: dict[str, str]) -> None:
    assert findings({PATH: needing("- Story 2.9 must be merged")} | told, "P1") == []


def test_a_story_is_done_before_the_one_it_needs() -> None:
    other = "docs/stories/2.1.story.md"
    files = {PATH: needing("- Story 2.1 must be merged"), other: story("2.1", "In Progress")}
    assert brief(findings(files, "P2")) == [("P2", "warning", [(PATH, 16), (other, 3)])]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("- Story 2.1 must be merged", "Done"),
        ("- Story 2.1 must be merged", "Deprecated"),
        ("- Enables Story 2.1", "Draft"),
        ("- Story 2.8 uses it", "Draft"),
    ],
)
def test_what_a_done_story_may_name(text: str, status: str) -> None:
    others = {f"docs/stories/{n}.story.md": story(n, status) for n in ("2.1", "2.8")}
    assert findings({PATH: needing(text)} | others, "P2") == []


def test_a_review_that_is_complete_keeps_nobody_waiting() -> None:
    other = {"docs/stories/2.1.story.md": story("2.1", "Code Review Complete")}
    assert findings({PATH: needing("- Story 2.1 must be merged")} | other, "P2") == []


def test_two_stories_wait_for_each_other() -> None:
    other = "docs/stories/2.6.story.md"
    files = {
        PATH: needing("- Depends on Story 2.6", status="Draft"),
        other: needing("- Depends on Story 2.4", "2.6", "Draft"),
    }
    (found,) = findings(files, "P3")
    assert brief([found]) == [("P3", "error", [(PATH, 16), (other, 16)])]
    assert found.message.startswith("2.4 needs 2.6 needs 2.4")


def test_two_stories_of_different_epics_wait_for_each_other() -> None:
    files = {
        PATH: needing("- Depends on Story 3.1", status="Draft"),
        "docs/stories/3.1.story.md": needing("- Depends on Story 2.4", "3.1", "Draft"),
    }
    assert [f.code for f in findings(files, "P3")] == ["P3"]


@pytest.mark.parametrize("back", ["- Blocks: Story 2.6", "- Related: Story 2.6", "- Story 2.6"])
def test_a_story_names_what_comes_after_it(back: str) -> None:
    files = {
        PATH: needing(back, status="Draft"),
        "docs/stories/2.6.story.md": needing("- Depends on Story 2.4", "2.6", "Draft"),
    }
    assert findings(files, "P3") == []


def test_three_proposals_in_a_circle_are_one_finding() -> None:
    files = eip(11, "Draft", "12") | eip(12, "Draft", "13") | eip(13, "Draft", "11, 12")
    (found,) = findings(files, "P3")
    assert found.message.startswith("eip-11 needs eip-12 needs eip-13 needs eip-11")
    assert len(found.evidence) == 3


def test_a_final_proposal_requires_a_dead_one() -> None:
    files = eip(11, "Final", "12") | eip(12, "Stagnant", "13") | eip(13, "Final", "")
    found = findings(files, "R4")
    assert brief(found) == [("R4", "warning", [("EIPS/eip-11.md", 7), ("EIPS/eip-12.md", 4)])]


def test_a_draft_may_require_a_draft() -> None:
    assert findings(eip(11, "Draft", "12") | eip(12, "Stagnant", ""), "R4") == []
    assert findings(eip(11, "Final", "12") | eip(12, "Final", ""), "R4") == []
