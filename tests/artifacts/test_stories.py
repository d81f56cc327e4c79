"""Stories: layouts, status carriers, criteria, tasks, dependencies."""

import pytest

from tests.artifacts.documents import codes, record, stored
from worker.artifacts import parse
from worker.artifacts.model import Link, Reference

BODY = "\n## Story\n\nAs a user, I want it.\n\n## Acceptance Criteria\n\n1. It works.\n"


def test_a_bmad_4_story() -> None:
    story = stored("1.2.session-tokens.story.md")
    assert (story.id, story.kind, story.subtype) == ("1.2", "story", "bmad4")
    assert (story.epic, story.story, story.title) == ("1", "1.2", "Issue session tokens")
    assert story.status is not None
    assert story.status.model_dump() == {
        "raw": "Ready for Review",
        "normalized": "review",
        "line": 7,
    }
    assert [(c.n, c.text, c.line) for c in story.acceptance_criteria] == [
        ("1", "A token is issued within 200 ms of a valid sign-in.", 17),
        ("2", "A token older than 30 days is refused with a 401 and a reason.", 18),
        ("3", "Tokens are stored as hashes only.", 20),
    ]
    assert [(t.n, t.text, t.done, t.acs, t.level, t.line) for t in story.tasks] == [
        ("1", "Issue tokens (AC: 1)", True, ("1",), 0, 24),
        (None, "Sign with the current key", True, (), 1, 25),
        (None, "Rotate keys nightly", False, (), 1, 26),
        ("2", "Expire tokens (AC: 2, 3)", False, ("2", "3"), 0, 27),
        (
            None,
            "Compare against the issue date [Source: architecture/auth.md#expiry]",
            True,
            (),
            1,
            28,
        ),
    ]
    assert story.links == (
        Link(target="architecture/auth.md", anchor="expiry", line=28, cited=True),
        Link(target="../prd/epic-1-accounts.md", anchor="goals", line=32),
        Link(target="../adr/0004-hash-tokens.md", anchor=None, line=43),
    )
    quote = "- Stories 1.1 and 0.3 must be merged; see [the epic](../prd/epic-1-accounts.md#goals)."
    assert story.dependencies == (
        Reference(kind="story", target="0.3", line=32, quote=quote),
        Reference(kind="story", target="1.1", line=32, quote=quote),
    )
    tasks = next(section for section in story.sections if section.line == 22)
    assert (tasks.title, tasks.level, tasks.anchor) == ("Tasks / Subtasks", 2, "tasks--subtasks")
    assert len(story.sections) == 9
    assert story.warnings == ()


def test_a_bmad_6_story() -> None:
    story = stored("2-3-export-ledger.md")
    assert (story.id, story.subtype, story.epic) == ("2.3", "bmad6", "2")
    assert story.status is not None
    assert (story.status.normalized, story.status.line) == ("in-progress", 3)
    assert [(c.n, c.text, c.line) for c in story.acceptance_criteria] == [
        ("1", "Every row is exported", 11),
        ("2", "Amounts keep their cents", 15),
    ]
    assert [(t.done, t.acs, t.level) for t in story.tasks] == [
        (True, ("1",), 0),
        (False, ("1", "2"), 0),
        (False, (), 1),
        (False, (), 2),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("docs/stories/1.1.story.md", "1.1"),
        ("docs/stories/1.1.sign-in.story.md", "1.1"),
        ("docs/stories/1.1-sign-in.md", "1.1"),
        ("docs/stories/01.12.sign-in.md", "1.12"),
        ("docs/sprint-artifacts/1-1-sign-in.md", "1.1"),
        ("docs/stories/story-1.14-sign-in.md", "1.14"),
        ("docs/stories/epic-3/3.4.md", "3.4"),
        ("docs/stories/0-5-1-sign-in.md", "0.5.1"),
        ("docs/stories/6.4a-sign-in.md", "6.4a"),
        ("docs/stories/1.12B.story.md", "1.12b"),
        ("docs/stories/6.2-p12-sign-in.md", "6.2.p12"),
        ("docs/stories/pm-05-7-sign-in.md", "pm.5.7"),
        ("docs/stories/story-b31-p1-sign-in.md", "b31.p1"),
        ("docs/stories/1.1.2fa-login.story.md", "1.1"),
        ("docs/stories/US-007-sign-in.md", "us.7"),
        ("docs/stories/sign-in.md", "sign-in"),
    ],
)
def test_the_id_comes_from_the_file_when_no_heading_has_one(path: str, expected: str) -> None:
    assert record(path, "# Sign in" + BODY).id == expected


@pytest.mark.parametrize(
    ("heading", "expected", "title"),
    [
        ("# Story 1.2: Sign in", "1.2", "Sign in"),
        ("# Story 1.2 - Sign in", "1.2", "Sign in"),
        ("# Story 1.2 \u2013 Sign in", "1.2", "Sign in"),
        ("# User Story 01.02: Sign in", "1.2", "Sign in"),
        ("# [Story 1.2] Sign in", "1.2", "Sign in"),
        ("# Story: 1-2: Sign in", "1.2", "Sign in"),
        ("# 📖 Story 1.2: Sign in", "1.2", "Sign in"),
        ("# 1.2 Sign in", "1.2", "Sign in"),
        ("# Story AUTH-12: Sign in", "auth.12", "Sign in"),
        ("# **Story 1.2:** `Sign in`", "1.2", "Sign in"),
        ("## Story 1.2: Sign in", "1.2", "Sign in"),
        ("Story 1.2: Sign in\n==================", "1.2", "Sign in"),
        ("# Story E2E tests pass", "x", "E2E tests pass"),
        ("# 12 monkeys", "x", "12 monkeys"),
    ],
)
def test_the_id_and_title_in_a_heading(heading: str, expected: str, title: str) -> None:
    story = record("docs/stories/x.md", heading + "\n" + BODY)
    assert (story.id, story.title) == (expected, title)


@pytest.mark.parametrize(
    ("path", "head", "identity"),
    [
        ("docs/stories/1.2.story.md", "# Story 1.2: X", ("1.2", "1.2", 1)),
        ("docs/stories/1.2.story.md", "# X", ("1.2", None, 1)),
        ("docs/stories/x.story.md", "\n# Story 1.2: X", (None, "1.2", 2)),
        ("docs/stories/1.2.story.md", "# X\n\n**Story ID:** 1.3", ("1.2", "1.3", 3)),
        ("docs/stories/6-2-30-day-limit.md", "# Story 6.2: 30-day limit", ("6.2", "6.2", 1)),
        ("docs/stories/3a-5-limit.md", "# Story 3A.5: Limit", ("3a.5", "3a.5", 1)),
    ],
)
def test_identity(path: str, head: str, identity: tuple[str | None, str | None, int]) -> None:
    found = record(path, f"{head}\n{BODY}").identity
    assert (found.in_file, found.in_document, found.line) == identity


def test_a_status_further_down_is_not_the_storys() -> None:
    text = "# Story 1.1: X\n" + BODY + "\n## API\n\n**Status:** 200 OK\n"
    assert record("docs/stories/1.1.story.md", text).status is None


def test_a_status_beside_the_storys_id_is_the_storys_wherever_it_stands() -> None:
    block = "\n### Context\n\n**Story ID:** `1.1`\n**Status:** Done\n"
    status = record("docs/stories/1.1.story.md", "# Story 1.1: X\n" + BODY + block).status
    assert status is not None
    assert status.normalized == "done"


def test_a_heading_settles_a_slug_that_starts_with_a_number() -> None:
    path = "docs/stories/0-5-7-72-hour-notification-stealth.md"
    story = record(path, "# Story 0.5.7: 72-hour notification" + BODY)
    assert (story.id, story.epic, story.warnings) == ("0.5.7", "0.5", ())
    assert record(path, "# Notification" + BODY).id == "0.5.7"


def test_a_heading_that_contradicts_the_file_is_flagged() -> None:
    story = record("docs/stories/3.8.story.md", "# Story 3.3: Sign in" + BODY)
    assert story.id == "3.3"
    assert codes(story) == ["id_mismatch"]


@pytest.mark.parametrize(
    ("head", "raw", "normalized", "line"),
    [
        ("\n## Status\n\nApproved\n", "Approved", "ready", 5),
        ("\n## Status:\nInProgress\n", "InProgress", "in-progress", 4),
        ("\n## 1. Status\n**Draft**\n", "**Draft**", "draft", 4),
        ("\n**Status:** Draft\n", "Draft", "draft", 3),
        ("\n**Status**: Draft\n", "Draft", "draft", 3),
        ("\n**Status: Draft**\n", "Draft", "draft", 3),
        ("\n- **Status:** Draft\n", "Draft", "draft", 3),
        ("\n> **Status:** Draft\n", "Draft", "draft", 3),
        ("\nStatus: Draft\n", "Draft", "draft", 3),
        ("\n* Status: Draft\n", "Draft", "draft", 3),
        ("\n# Status: Draft\n", "Draft", "draft", 3),
        ("\n## Status: ✅ Done\n", "✅ Done", "done", 3),
        ("\n| Status | Draft |\n| Points | 3 |\n", "Draft", "draft", 3),
        ("\n| Field | Value |\n|---|---|\n| **Status** | Draft |\n", "Draft", "draft", 5),
        ("\n| **Status** | Draft |\n|---|---|\n| Points | 3 |\n", "Draft", "draft", 3),
        ("\n**Status:** Draft **Date:** 2025-11-25 | **Epic:** 4\n", "Draft", "draft", 3),
        ("\n**Points:** 5 | **Status:** Done\n", "Done", "done", 3),
        ("\nStatus: Draft | Points: 5\n", "Draft", "draft", 3),
        ("\n**Status:** Draft\n---\n", "Draft", "draft", 3),
        ("\n## Status\n\n<!-- Draft | Done -->\n\nDone\n", "Done", "done", 7),
        ("\n## Status\n\n- **Status:** Done\n", "Done", "done", 5),
    ],
)
def test_where_a_status_is_carried(head: str, raw: str, normalized: str, line: int) -> None:
    status = record("docs/stories/1.1.story.md", "# Story 1.1: X\n" + head + BODY).status
    assert status is not None
    assert (status.raw, status.normalized, status.line) == (raw, normalized, line)


def test_front_matter_wins() -> None:
    front = (
        "---\ntitle: Sign in\nstory_id: 1.10\nepic: 1\nstatus: done\ncreated_at: 2025-01-02\n---\n"
    )
    story = record("docs/stories/sign-in.md", front + "\n**Status:** Draft\n" + BODY)
    assert (story.id, story.epic) == ("1.10", "1")
    assert story.dates.created == "2025-01-02"
    assert story.status is not None
    assert (story.status.normalized, story.status.line) == ("done", 5)


def test_a_legend_of_statuses_is_no_status() -> None:
    legend = "\n| Status | Meaning |\n|---|---|\n| Draft | not yet |\n"
    assert record("docs/stories/1.1.story.md", "# Story 1.1: X\n" + legend + BODY).status is None


def test_the_verdict_of_a_review_is_not_the_status() -> None:
    review = "\n## QA Results\n\n**Status:** PASS\n"
    assert record("docs/stories/1.1.story.md", "# Story 1.1: X\n" + BODY + review).status is None


def test_a_status_nobody_knows_is_kept_and_flagged() -> None:
    story = record("docs/stories/1.1.story.md", "# Story 1.1: X\n\nStatus: Marinating\n" + BODY)
    assert story.status is not None
    assert (story.status.raw, story.status.normalized) == ("Marinating", None)
    assert codes(story) == ["unknown_status"]


@pytest.mark.parametrize("epic", ["16", "EPIC-16 - Polish", "Epic 16: Polish", "`16`"])
def test_the_epic_that_a_story_names(epic: str) -> None:
    text = f"# Story 3.1: X\n\n**Epic:** {epic}\n" + BODY
    assert record("docs/stories/3.1.story.md", text).epic == "16"


def test_one_line_packing_gives_every_field() -> None:
    line = "\n**Status:** Draft **Epic:** 4 - Reports · **Owner:** Noor | **Created:** 2025-11-25\n"
    story = record("docs/stories/1.1.story.md", "# Story 1.1: X\n" + line + BODY)
    assert (story.epic, story.owner, story.dates.created) == ("4", "Noor", "2025-11-25")


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "- [ ] **AC1**: Opens\n- [x] **AC2**: Closes\n",
            [("1", "Opens", False), ("2", "Closes", True)],
        ),
        ("- **AC-1:** Opens\n- **AC-2:** Closes\n", [("1", "Opens", None), ("2", "Closes", None)]),
        ("**AC1:** Opens\n\n**AC2:** Closes\n", [("1", "Opens", None), ("2", "Closes", None)]),
        (
            "### AC-1: Opens\n\ntext\n\n### AC-2\n\nCloses\n",
            [("1", "Opens", None), ("2", "Closes", None)],
        ),
        ("### Scenario 1: Opens\n\n- **Given** a door\n", [("1", "Opens", None)]),
        ("#### 1. Opens\n\n- softly\n", [("1", "Opens", None)]),
        ("1. [x] Opens\n   - softly\n2) Closes\n", [("1", "Opens", True), ("2", "Closes", None)]),
        (
            "- Opens\n  - softly\n- Closes\n",
            [("1", "Opens", None), ("2", "softly", None), ("3", "Closes", None)],
        ),
        (
            "**Given** a door\n**When** pushed\n**Then** it opens\n\nGiven a lock\nThen it stays\n",
            [
                ("1", "Given a door When pushed Then it opens", None),
                ("2", "Given a lock Then it stays", None),
            ],
        ),
        (
            "### Sums\n\n- GIVEN a, WHEN b, THEN c\n\n### Rows\n\n- GIVEN d\n\n### AC-9.1: Later\n",
            [("1", "GIVEN a, WHEN b, THEN c", None), ("2", "GIVEN d", None)],
        ),
        ("It simply works.\n", []),
        ("```\n1. not a criterion\n```\n", []),
    ],
)
def test_styles_of_criteria(section: str, expected: list[tuple[str, str, bool | None]]) -> None:
    text = f"# Story 1.1: X\n\n## Acceptance Criteria\n\n{section}\n## Dev Notes\n\n9. no\n"
    story = record("docs/stories/1.1.story.md", text)
    assert [(c.n, c.text, c.checked) for c in story.acceptance_criteria] == expected


def test_criteria_behind_a_bold_label() -> None:
    text = (
        "# Story 1.1: X\n\n**Acceptance Criteria:**\n\n1. Opens\n2. Closes\n\n**Notes:**\n\n1. no\n"
    )
    story = record("docs/stories/1.1.story.md", text)
    assert [c.text for c in story.acceptance_criteria] == ["Opens", "Closes"]


@pytest.mark.parametrize(
    ("task", "acs"),
    [
        ("(AC: 1, 3)", ("1", "3")),
        ("(AC: #1, #2)", ("1", "2")),
        ("(AC1, AC2)", ("1", "2")),
        ("(ACs: 1-4)", ("1", "2", "3", "4")),
        ("(AC: 2 \u2013 3 and 7)", ("2", "3", "7")),
        ("(AC-1, AC-3)", ("1", "3")),
        ("(AC: 1.1, 2a)", ("1.1", "2a")),
        ("(AC: all)", ()),
        ("(FAC 1)", ()),
        ("(AC: 9-2)", ("9",)),
    ],
)
def test_criteria_that_a_task_names(task: str, acs: tuple[str, ...]) -> None:
    text = f"# Story 1.1: X\n\n## Tasks\n\n- [ ] Do it {task}\n"
    assert record("docs/stories/1.1.story.md", text).tasks[0].acs == acs


def test_an_absurd_range_of_criteria_is_cut() -> None:
    text = "# Story 1.1: X\n\n## Tasks\n\n- [ ] Do it (AC: 1-999)\n"
    assert len(record("docs/stories/1.1.story.md", text).tasks[0].acs) == 101


def test_boxes_outside_the_tasks_are_no_tasks() -> None:
    text = (
        "# Story 1.1: X\n\n## Acceptance Criteria\n\n- [ ] a\n\n## Tasks / Subtasks\n\n"
        "### Backend\n\n- [X] b\n\n### Frontend\n\n* [ ] c\n\n## Definition of Done\n\n- [ ] d\n"
    )
    story = record("docs/stories/1.1.story.md", text)
    assert [(task.text, task.done) for task in story.tasks] == [("b", True), ("c", False)]


def test_a_wrapped_task_is_read_whole() -> None:
    text = "# Story 1.1: X\n\n## Tasks\n\n- [ ] Task 1.1: Do\n  it all (AC: 1,\n  2)\n\nprose\n"
    (task,) = record("docs/stories/1.1.story.md", text).tasks
    assert (task.n, task.text, task.acs) == ("1.1", "Do it all (AC: 1, 2)", ("1", "2"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("**Depends on:** Story 1.2", [("story", "1.2")]),
        ("**Dependencies:** 1.2, 1.3", [("story", "1.2"), ("story", "1.3")]),
        ("**Prerequisites:** Stories 1.2-1.5", [("story", f"1.{n}") for n in (2, 3, 4, 5)]),
        ("**Blocked by:** Story 1-2 and ADR-7", [("adr", "0007"), ("story", "1.2")]),
        ("**Dependencies:** Epics 1-3", [("epic", "1"), ("epic", "2"), ("epic", "3")]),
        ("**Depends on:** Story 1.2, Story 1.4", [("story", "1.2"), ("story", "1.4")]),
        ("**Dependencies:** Python 3.11 and 2 reviewers", []),
        ("**Dependencies:** None", []),
        ("**Dependencies:** EPIC-CRM-01, Story DM-01.4", [("epic", "crm.1"), ("story", "dm.1.4")]),
        ("**Depends on:** Story AC-1, Story 3A.5", [("story", "3a.5")]),
    ],
)
def test_dependencies(line: str, expected: list[tuple[str, str]]) -> None:
    story = record("docs/stories/2.1.story.md", f"# Story 2.1: X\n\n{line}\n" + BODY)
    assert [(d.kind, d.target) for d in story.dependencies] == expected


def test_what_stands_under_dependencies_and_is_none() -> None:
    section = (
        "## Dependencies\n\n- Story 1.1 (done)\n- Parallel with Story 1.2\n\n**Blocks:**\n\n"
        "- Story 1.3\n\n**Requires:**\n\n- Epic 4\n\n### Downstream\n\n- Story 1.5\n"
    )
    story = record("docs/stories/2.1.story.md", f"# Story 2.1: X\n\n{section}" + BODY)
    assert [(d.kind, d.target) for d in story.dependencies] == [("story", "1.1"), ("epic", "4")]


@pytest.mark.parametrize(
    "name",
    [
        "1.2-validation-report.md",
        "1.2-test-strategy.md",
        "1.2-wireframes.md",
        "1.2-implementation-guide.md",
        "implementation-plan.md",
        "qa-report-1.2.md",
    ],
)
def test_what_lies_among_stories_is_no_story(name: str) -> None:
    text = "# Story 1.2: Report\n\nStatus: Done\n\n## Findings\n\n- [x] fine\n"
    assert parse(f"docs/stories/{name}", "b", text.encode()) is None


def test_prose_among_stories_is_no_story() -> None:
    assert parse("docs/stories/how-we-write.md", "b", b"# How we write\n\n## Rules\n") is None


def test_an_auxiliary_word_in_the_slug_does_not_hide_a_story() -> None:
    assert record("docs/stories/1.2.validation-ui.story.md", "# Validation UI\n").id == "1.2"
    assert record("docs/stories/1.2-validation-ui.md", "# Validation UI\n" + BODY).id == "1.2"
