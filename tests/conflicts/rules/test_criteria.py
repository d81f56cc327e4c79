"""Acceptance criteria that are cited, and those that are missing."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

PATH = "docs/stories/1.1.story.md"


def test_a_task_cites_a_criterion_that_is_not_there() -> None:
    body = "## Tasks\n\n- [ ] Mint (AC: 1)\n- [ ] Show (AC: 1, 5)\n"
    (found,) = findings({PATH: story("1.1", "Draft", body=body)}, "A1")
    assert brief([found]) == [("A1", "error", [(PATH, 17), (PATH, 12)])]
    assert (found.expected, found.actual) == ("a number from 1 to 2", "5")


def test_criteria_may_be_headings() -> None:
    headings = "### AC1: Minting\n\nIt is minted.\n\n### AC2: Showing\n\nIt is shown."
    tasks = "## Tasks\n\n- [ ] Go (AC: 3)\n"
    text = f"# Story 1.1: Mint\n\n## Acceptance Criteria\n\n{headings}\n\n{tasks}"
    assert [f.actual for f in findings({PATH: text}, "A1")] == ["3"]


@pytest.mark.parametrize("cited", ["AC: 1-2", "AC 2", "AC: #1", "AC1, AC2", "AC: 1.1", "ACs: all"])
def test_a_task_cites_criteria_that_are_there(cited: str) -> None:
    body = f"## Tasks\n\n- [ ] Mint ({cited})\n"
    assert findings({PATH: story("1.1", "Draft", body=body)}, "A1") == []


def test_criteria_without_a_plain_row_of_numbers_prove_nothing() -> None:
    text = """
        # Story 1.1: Mint

        ## Acceptance Criteria

        - **AC3** It is minted.
        - **AC9** It expires.

        ## Tasks

        - [ ] Mint (AC: 4)
        """
    assert findings({PATH: text}, "A1") == []


def test_headings_of_groups_are_no_criteria() -> None:
    text = """
        # Story 1.1: Mint

        ## Acceptance Criteria

        ### 1. Minting

        - AC1: It is minted.
        - AC2: It is signed.

        ### 2. Showing

        - AC3: It is shown.

        ## Tasks

        - [ ] Show (AC: 3)
        """
    assert findings({PATH: text}, "A1") == []


def epic_of(*without: int) -> dict[str, str]:
    bare = "# Story 1.{0}: Mint\n\nStatus: {1}\n\n## Story\n\nAs a reader I want a token.\n"
    return {
        f"docs/stories/1.{n}.story.md": bare.format(n, "Done") if n in without else story(f"1.{n}")
        for n in range(1, 8)
    }


def test_a_story_without_criteria_stands_out_in_its_epic() -> None:
    found = findings(epic_of(4), "A4")
    assert brief(found) == [("A4", "warning", [("docs/stories/1.4.story.md", 3)])]


def test_where_many_have_none_it_is_a_habit() -> None:
    assert findings(epic_of(2, 4, 6), "A4") == []


@pytest.mark.parametrize("instead", ["## Success Measures\n\nIt shines.", "## ACs in the epic"])
def test_criteria_in_other_words_count(instead: str) -> None:
    files = epic_of(4)
    files["docs/stories/1.4.story.md"] += f"\n{instead}\n"
    assert findings(files, "A4") == []


def test_a_draft_may_still_be_without() -> None:
    files = epic_of(4)
    path = "docs/stories/1.4.story.md"
    files[path] = files[path].replace("Status: Done", "Status: Draft")
    assert findings(files, "A4") == []
