"""Epics: ids, and whose status is read."""

import pytest

from tests.artifacts.documents import codes, record, stored
from worker.artifacts import parse
from worker.artifacts.model import Reference


def test_an_epic() -> None:
    epic = stored("epic-2-ledger.md")
    assert (epic.id, epic.kind, epic.epic, epic.story) == ("epic-2", "epic", "2", None)
    assert (epic.title, epic.owner, epic.dates.created) == ("The ledger", "Noor", "2025-02-11")
    assert epic.status is not None
    assert (epic.status.raw, epic.status.normalized) == ("🚧 In Progress", "in-progress")
    assert epic.dependencies == (
        Reference(kind="epic", target="0", line=4, quote="**Depends on:** Epics 0-1"),
        Reference(kind="epic", target="1", line=4, quote="**Depends on:** Epics 0-1"),
    )


@pytest.mark.parametrize(
    ("path", "heading", "expected"),
    [
        ("docs/prd/epic-1-accounts.md", "# Accounts", "epic-1"),
        ("docs/epics/epic-01.md", "# Accounts", "epic-1"),
        ("docs/epics/1-accounts.md", "# Accounts", "epic-1"),
        ("docs/epics/epic-0.5-accounts.md", "# Accounts", "epic-0.5"),
        ("docs/epics/epic-7-5-accounts.md", "# Epic 7.5: Accounts", "epic-7.5"),
        ("docs/epics/epic-accounts.md", "# Accounts", "epic-accounts"),
        ("docs/epics/accounts.md", "# Epic 4 - Accounts", "epic-4"),
        ("docs/epics/epic-dm-04-x.md", "# Epic DM-04: Accounts", "epic-dm.4"),
        ("docs/stories/epic-3-accounts.md", "# Accounts", "epic-3"),
    ],
)
def test_ids(path: str, heading: str, expected: str) -> None:
    epic = record(path, heading + "\n")
    assert (epic.id, epic.title) == (expected, "Accounts")


def test_a_heading_that_contradicts_the_file_is_flagged() -> None:
    assert codes(record("docs/epics/epic-3.md", "# Epic 4: Accounts\n")) == ["id_mismatch"]


def test_all_epics_in_one_file() -> None:
    epics = record("docs/epics.md", "# Shop - Epics\n\n## Epic 1: Accounts\n\n## Epic 2: Ledger\n")
    assert (epics.id, epics.subtype, epics.epic) == ("epics", "list", None)


def test_the_status_of_a_story_is_not_the_epics() -> None:
    text = "# Epic 2: The ledger\n\n## Stories\n\n### Story 2.1: Entries\n\n**Status:** Done\n"
    assert record("docs/epics/epic-2.md", text).status is None


@pytest.mark.parametrize("name", ["epic-1-report.md", "epic-1-test-plan.md", "epic-1-tech-spec.md"])
def test_reports_are_no_epics(name: str) -> None:
    assert parse(f"docs/epics/{name}", "b", b"# Epic 1: Report\n") is None


def test_an_epic_lists_its_stories() -> None:
    text = "# Epic 2: The ledger\n\n## Story 2.1: Entries\n\nStatus: Done\n\n## Story 2.2: Sums\n"
    epic = record("docs/epics/epic-2.md", text)
    assert [(e.kind, e.target, e.status.raw, e.line) for e in epic.entries] == [
        ("story", "2.1", "Done", 3),
        ("story", "2.2", "", 7),
    ]


@pytest.mark.parametrize(
    ("path", "heading", "identity"),
    [
        ("docs/epics/epic-3.md", "# Epic 4: Accounts", ("3", "4", 1)),
        ("docs/epics/epic-3.md", "# Accounts", ("3", None, 1)),
        ("docs/epics/accounts.md", "# Epic 4 - Accounts", (None, "4", 1)),
        ("docs/epics/epic-dm-01-shop.md", "# Epic DM-01: Shop", ("dm.1", "dm.1", 1)),
        ("docs/epics/epic-1a.md", "# Epic 1A: Shop", ("1a", "1a", 1)),
    ],
)
def test_identity(path: str, heading: str, identity: tuple[str | None, str | None, int]) -> None:
    found = record(path, heading + "\n").identity
    assert (found.in_file, found.in_document, found.line) == identity


def test_an_empty_document_is_no_epic() -> None:
    assert parse("docs/epics/epic-1.md", "b", b"\n") is None


def test_what_a_story_says_is_not_the_epics() -> None:
    text = (
        "# Epic 2: X\n\n## Stories\n\n### Story 2.1: Entries\n\n**Dependencies:** Story 1.1\n\n"
        "#### Acceptance Criteria\n\n1. An entry is kept\n\n### Dependencies\n\n- Story 1.2\n"
    )
    own = "\n## Acceptance Criteria\n\n1. Every sum is right\n\n## Dependencies\n\n- Epic 1\n"
    stories_only, both = (record("docs/epics/epic-2.md", text + rest) for rest in ("", own))
    assert (stories_only.acceptance_criteria, stories_only.dependencies) == ((), ())
    assert [c.text for c in both.acceptance_criteria] == ["Every sum is right"]
    assert [(d.kind, d.target) for d in both.dependencies] == [("epic", "1")]
