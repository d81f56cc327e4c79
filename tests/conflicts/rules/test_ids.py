"""Ids and numbers that clash."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

ADR = "# {0}. {1}\n\n## Status\n\nAccepted\n\n## Context\n\nIt rains.\n\n## Decision\n\nA roof.\n"
KEP = "title: {1}\nkep-number: {0}\nstatus: implementable\n"


def test_two_files_of_a_folder_are_one_story() -> None:
    one, other = "docs/stories/1.2.mint.md", "docs/stories/1.2.show.md"
    found = findings({one: story("1.2"), other: story("1.2")}, "I1")
    assert brief(found) == [("I1", "error", [(one, 1), (other, 1)])]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("docs/stories/1.2.mint.md", "modules/b/stories/1.2.show.md"),
        ("docs/stories/6-2-mint.md", "docs/stories/6-2-p1-mint.md"),
        ("docs/stories/1.2.mint.md", "docs/stories/1.2-completion-report.md"),
        ("docs/stories/1.2.mint.md", "docs/stories/1.2a.mint.md"),
        ("docs/stories/1-2-mint.md", "docs/stories/1.2-1-mint.md"),
        ("docs/stories/2025-12-16-mint.md", "docs/stories/2025-12-16-show.md"),
    ],
)
def test_files_that_are_different_stories_or_none(one: str, other: str) -> None:
    assert findings({one: story("1.2"), other: story("1.2")}, "I1") == []


def test_a_story_calls_itself_by_the_number_of_another() -> None:
    path = "docs/stories/3.8.story.md"
    (found,) = findings({path: story("3.3")}, "I2")
    assert brief([found]) == [("I2", "error", [(path, 1)])]
    assert (found.expected, found.actual) == ("3.8", "3.3")


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("docs/stories/0-5-7-72-hour-notice.md", "0.5.7"),
        ("docs/stories/01.02.mint.md", "1.2"),
        ("docs/stories/1-2-mint.md", "1.2"),
    ],
)
def test_a_slug_that_begins_with_a_number(path: str, number: str) -> None:
    assert findings({path: story(number)}, "I2") == []


def test_an_epics_slug_is_no_number() -> None:
    text = "# Lamp: Epic 31 and what follows\n\n**Status:** Draft\n"
    assert findings({"docs/epics/epic-quick-wins.md": text}, "I2") == []


def test_a_number_is_used_for_two_decisions_of_a_folder() -> None:
    one, other = "docs/adr/0007-roof.md", "docs/adr/0007-walls.md"
    files = {one: ADR.format(7, "Roof"), other: ADR.format(7, "Walls")}
    found = findings(files, "N1")
    assert brief(found) == [("N1", "error", [(one, 1), (other, 1)])]
    assert one in found[0].message
    assert other in found[0].message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("docs/adr/0007-roof.md", "lib/docs/adr/0007-walls.md"),
        ("docs/adr/20201028-roof.md", "docs/adr/20201028-walls.md"),
        ("docs/adr/2020-10-28-roof.md", "docs/adr/2020-10-28-walls.md"),
    ],
)
def test_numbers_of_other_folders_and_dates(one: str, other: str) -> None:
    text = "# Roof\n\n## Status\n\nAccepted\n\n## Decision\n\nA roof.\n"
    assert findings({one: text, other: text}, "N1") == []


def test_two_proposals_have_one_number() -> None:
    one, other = "keps/sig-a/12-roof/kep.yaml", "keps/sig-b/12-walls/kep.yaml"
    found = findings({one: KEP.format(12, "Roof"), other: KEP.format(12, "Walls")}, "N1")
    assert brief(found) == [("N1", "error", [(one, 2), (other, 2)])]


def test_numbers_left_out_are_one_line_for_a_folder() -> None:
    files = {f"docs/adr/{n:04}-roof.md": ADR.format(n, "Roof") for n in (1, 2, 3, 6, 7)}
    (found,) = findings(files, "N2")
    assert (found.severity, found.message) == (
        "info", "Numbers are left out between 1 and 7: 4, 5."
    )  # fmt: skip
    del files["docs/adr/0007-roof.md"]
    assert findings(files, "N2") == []
