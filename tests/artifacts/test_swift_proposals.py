"""Proposals in the manner of Swift: a title and a bullet header."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified
from worker.artifacts import classify, parse

PATH = "proposals/9044-soft-errors.md"
HEAD = "# Soft errors\n\n* Proposal: [SE-9044](9044-soft-errors.md)\n"


def test_a_proposal() -> None:
    proposal = specified("soft-errors-swift.md")
    assert (proposal.id, proposal.kind, proposal.subtype) == ("se-9044", "proposal", "swift")
    assert (proposal.title, proposal.owner) == ("Soft errors", "Ada Quill, Grace Reed")
    assert proposal.status is not None
    assert (proposal.status.raw, proposal.status.normalized) == (
        "**Implemented (Boat 5.1)**",
        "implemented",
    )


def test_a_predecessor_is_no_dependency() -> None:
    proposal = specified("soft-errors-swift.md")
    assert [(r.target, r.line) for r in proposal.superseded_by] == [("se-9101", 7)]
    assert (proposal.supersedes, proposal.dependencies) == ((), ())


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("* Superseding Proposal: [SE-9101: A title](https://example.org/9101-x.md)", "se-9101"),
        ("* Superseded by: [SE-9101](9101-x.md)", "se-9101"),
        ("* Next Proposal: [SE-9101](9101-x.md)", None),
    ],
)
def test_successors(line: str, field: str | None) -> None:
    proposal = record(PATH, f"{HEAD}{line}\n")
    assert [r.target for r in proposal.superseded_by] == ([field] if field else [])


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("**Implemented (Swift 5.1)**", "implemented"),
        ("**Implemented with Modifications (Swift 5.1)**", "implemented"),
        ("**Partially implemented (Swift 5.3)**", "implementing"),
        ("**Accepted with revisions**", "accepted"),
        ("**Previewing**", "accepted"),
        ("**Active review (August 2\u201316, 2026)**", "review"),
        ("**Awaiting review**", "review"),
        ("**Scheduled for review (July 1)**", "review"),
        ("**Returned for revision**", "returned"),
        ("**Rejected**", "rejected"),
        ("**Withdrawn**", "withdrawn"),
        ("**Deferred**", "deferred"),
        ("**Expired**", "expired"),
    ],
)
def test_statuses(written: str, normalized: str) -> None:
    proposal = record(PATH, f"{HEAD}* Status: {written}\n")
    assert proposal.status is not None
    assert (proposal.status.normalized, proposal.warnings) == (normalized, ())


def test_what_is_no_status_is_said_to_be_none() -> None:
    proposal = record(PATH, f"{HEAD}* Status: **Status: Active Review**\n")
    assert proposal.status is not None
    assert (proposal.status.normalized, codes(proposal)) == (None, ["unknown_status"])


def test_another_series_has_ids_of_its_own() -> None:
    text = "# X\n\n- Proposal: [ST-0013](0013-x.md)\n"
    assert record("proposals/testing/0013-x.md", text).id == "st-13"


def test_a_number_that_is_not_its_files() -> None:
    proposal = record(PATH, "# X\n\n* Proposal: [SE-9045](9045-x.md)\n")
    assert (proposal.id, proposal.identity.in_document) == ("se-9044", "se-9045")
    assert codes(proposal) == ["id_mismatch"]


def test_a_draft_has_no_number_in_the_document() -> None:
    proposal = record(PATH, "# X\n\n* Proposal: [SE-NNNN](NNNN-x.md)\n")
    assert (proposal.id, proposal.identity.in_document) == ("se-9044", None)


@pytest.mark.parametrize("path", ["proposal-templates/0000-x.md", "proposals/x.md", "0001-x.md"])
def test_other_paths(path: str) -> None:
    assert classify(path) is None


def test_a_note_that_it_was_renamed_is_none() -> None:
    assert parse(PATH, "b", b"This document was renamed: [SE-9044](9044-x.md).\n") is None
