"""Done stories with open boxes, and their near misses."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

PATH = "docs/stories/1.1.story.md"


def tasks(*lines: str, heading: str = "## Tasks / Subtasks") -> str:
    return "\n".join([heading, "", *lines])


def test_a_done_story_with_one_task_open_of_three() -> None:
    body = tasks("- [x] Mint", "- [ ] Store it", "- [x] Expire")
    (found,) = findings({PATH: story("1.1", body=body)}, "S1")
    assert (found.severity, found.confidence) == ("error", "high")
    assert [(e.line, e.quote) for e in found.evidence] == [(3, "Done"), (17, "Store it")]
    assert "1 of its 3 tasks" in found.message
    assert found.actual == "1 of 3 open"


def test_mostly_open_boxes_are_told_but_are_no_error() -> None:
    body = tasks("- [x] Mint", "- [ ] Store it", "- [ ] Expire", "- [ ] Show")
    assert [f.severity for f in findings({PATH: story("1.1", body=body)}, "S1")] == ["info"]


def test_an_open_detail_of_a_ticked_task_is_a_warning() -> None:
    body = tasks("- [x] Mint", "  - [ ] Store it", "- [x] Expire", "- [x] Show")
    assert [f.severity for f in findings({PATH: story("1.1", body=body)}, "S1")] == ["warning"]


@pytest.mark.parametrize(
    "line",
    [
        "- [ ] Store it (deferred to 2.4)",
        "- [ ] Optional: store it",
        "- [ ] ~~Store it~~",
        "- [ ] Store it - N/A",
        "- [ ] Store it, future work",
        "- [ ] Store it (moved to Story 3.1)",
        "- [ ] Post-merge: check the badge",
        "- [ ] Tests as feasible",
        "- [ ] Option A: store it in a file",
        "- [ ] Store the key (user action required)",
        "- [ ] Try it on a real device",
    ],
)
def test_work_that_is_put_off_is_not_missing(line: str) -> None:
    body = tasks("- [x] Mint", line, "  - [ ] and its parts", "- [x] Expire")
    assert findings({PATH: story("1.1", body=body)}, "S1") == []


@pytest.mark.parametrize(
    "heading",
    ["## Definition of Done", "## QA Checklist", "## Tasks\n\n### Definition of Done",
     "## Tasks\n\n### Review Follow-ups (AI)", "## Tasks\n\n### Optional"],
)  # fmt: skip
def test_other_lists_are_no_tasks(heading: str) -> None:
    body = tasks("- [x] Mint", "- [ ] Reviewed by two", "- [x] Expire", heading=heading)
    assert findings({PATH: story("1.1", body=body)}, "S1", "S3") == []


@pytest.mark.parametrize("status", ["Ready for Review", "In Progress", "Cancelled"])
def test_only_done_stories_have_to_be_finished(status: str) -> None:
    body = tasks("- [x] Mint", "- [ ] Store it", "- [x] Expire")
    assert findings({PATH: story("1.1", status, body=body)}, "S1") == []


def test_boxes_that_nobody_ever_ticks_are_one_line_for_the_repository() -> None:
    body = tasks("- [ ] Mint", "- [ ] Store it", "- [ ] Expire")
    files = {f"docs/stories/1.{n}.story.md": story(f"1.{n}", body=body) for n in range(1, 5)}
    (found,) = findings(files, "S1", "S3")
    assert (found.code, found.severity) == ("S3", "info")
    assert found.message.startswith("4 done stories")


def test_all_ticked_while_the_status_says_not_begun() -> None:
    body = tasks("- [x] Mint", "- [x] Store it", "- [x] Expire")
    found = findings({PATH: story("1.1", "Draft", body=body)}, "S2")
    assert brief(found) == [("S2", "warning", [(PATH, 3), (PATH, 18)])]


@pytest.mark.parametrize("status", ["Ready for Review", "Ready for Done", "Review", "Done"])
def test_all_ticked_and_the_status_knows(status: str) -> None:
    body = tasks("- [x] Mint", "- [x] Store it", "- [x] Expire")
    assert findings({PATH: story("1.1", status, body=body)}, "S2") == []


def test_a_report_among_the_stories_is_no_story() -> None:
    body = tasks("- [x] Mint", "- [ ] Store it", "- [x] Expire")
    files = {"docs/stories/story-1.1-completion-report.md": story("1.1", body=body)}
    assert findings(files, "S1") == []
