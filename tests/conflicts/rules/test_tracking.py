"""Sprint trackers and epics against stories."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

TRACKER = "_bmad-output/implementation-artifacts/sprint-status.yaml"
FOLDER = "_bmad-output/implementation-artifacts"


def tracker(*lines: str) -> dict[str, str]:
    rows = "\n".join(f"  {line}" for line in lines)
    return {TRACKER: f"project: lamp\ndevelopment_status:\n{rows}\n"}


def file_of(key: str, status: str) -> dict[str, str]:
    number = ".".join(key.split("-")[:2])
    return {f"{FOLDER}/{key}.md": story(number, status)}


def test_the_tracker_and_the_story_disagree() -> None:
    files = tracker("epic-1: in-progress", "1-1-mint: done") | file_of("1-1-mint", "review")
    (found,) = findings(files, "Y1")
    assert brief([found]) == [("Y1", "error", [(TRACKER, 4), (f"{FOLDER}/1-1-mint.md", 3)])]
    assert [e.quote for e in found.evidence] == ["1-1-mint: done", "review"]
    assert (found.expected, found.actual) == ("done (the tracker's word)", "review")


def test_stages_before_the_end_are_a_lesser_matter() -> None:
    files = tracker("1-1-mint: in-progress") | file_of("1-1-mint", "review")
    assert [f.severity for f in findings(files, "Y1")] == ["warning"]


@pytest.mark.parametrize(
    ("tracked", "written"),
    [("done", "Done"), ("done", "✅ Complete"), ("drafted", "ready-for-dev"), ("done", "Contented"),
     ("backlog", "Draft"), ("in-progress", "InProgress")],
)  # fmt: skip
def test_words_for_one_stage_agree(tracked: str, written: str) -> None:
    files = tracker(f"1-1-mint: {tracked}") | file_of("1-1-mint", written)
    assert findings(files, "Y1") == []


def test_the_file_of_the_tracked_name_is_meant_among_several_of_that_number() -> None:
    files = tracker("1-1-mint: done") | file_of("1-1-mint", "done") | file_of("1-1-old", "draft")
    assert findings(files, "Y1") == []


@pytest.mark.parametrize("name", ["sprint-status.generated.yaml", "sprint-status-backup.yaml"])
def test_a_copy_of_the_tracker_tracks_nothing(name: str) -> None:
    (text,) = tracker("1-1-mint: backlog").values()
    files = {f"{FOLDER}/{name}": text} | file_of("1-1-mint", "done")
    assert findings(files, "Y1") == []


def test_the_second_part_of_a_story_is_not_the_story() -> None:
    files = tracker("1.1-1-mint: done") | file_of("1-1-mint", "draft")
    assert findings(files, "Y1") == []


def test_a_story_of_another_module_is_not_meant() -> None:
    other = {"modules/b/stories/1-1-mint-b.md": story("1.1", "draft")}
    more = {"modules/a/stories/1-1-mint-a.md": story("1.1", "draft")}
    assert findings(tracker("1-1-mint: done") | other | more, "Y1") == []


def test_an_epic_is_done_with_a_story_open() -> None:
    files = tracker("epic-1: done", "1-1-mint: done", "1-2-show: blocked", "epic-2: done")
    (found,) = findings(files, "Y2")
    assert brief([found]) == [("Y2", "error", [(TRACKER, 3), (TRACKER, 5)])]


@pytest.mark.parametrize("status", ["deprecated", "cancelled", "moved-to-12", "done", "deferred"])
def test_given_up_stories_do_not_keep_an_epic_open(status: str) -> None:
    files = tracker("epic-1: done", "1-1-mint: done", f"1-2-show: {status}")
    assert findings(files, "Y2") == []


def test_a_story_of_epic_7_5_is_not_one_of_epic_7() -> None:
    files = tracker(
        "epic-7: done", "7-1-mint: done", "epic-7-5: in-progress", "7-5-1-show: in-progress"
    )
    assert findings(files, "Y2") == []


def test_an_epic_document_is_done_with_a_story_document_open() -> None:
    files = {
        "docs/epics/epic-3.md": "# Epic 3: Tokens\n\n**Status:** Done\n",
        "docs/stories/3.1.story.md": story("3.1", "Draft"),
        "modules/other/stories/3.2.story.md": story("3.2", "Draft"),
    }
    found = findings(files, "Y2")
    assert brief(found) == [
        ("Y2", "error", [("docs/epics/epic-3.md", 3), ("docs/stories/3.1.story.md", 3)])
    ]


def test_all_stories_are_finished_and_the_epic_is_not() -> None:
    files = tracker("epic-1: in-progress", "1-1-mint: done", "1-2-show: deferred")
    assert brief(findings(files, "Y5")) == [("Y5", "info", [(TRACKER, 3), (TRACKER, 5)])]


@pytest.mark.parametrize("rest", [["1-2-show: review"], []])
def test_an_epic_with_work_left_may_be_open(rest: list[str]) -> None:
    assert findings(tracker("epic-1: in-progress", "1-1-mint: done", *rest), "Y5") == []
