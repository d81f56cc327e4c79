"""Ethereum improvement proposals: front matter over Markdown."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified
from worker.artifacts import classify, parse

PATH = "EIPS/eip-9301.md"


def test_a_proposal() -> None:
    eip = specified("tide-fees-eip.md")
    assert (eip.id, eip.kind, eip.subtype, eip.title) == (
        "eip-9301",
        "proposal",
        "eip",
        "Tide fees",
    )
    assert (eip.owner, eip.dates.created) == ("Ada Quill (@ada), Grace Reed (@grace)", "2023-02-11")
    assert [(r.target, r.line) for r in eip.dependencies] == [("eip-9155", 10), ("eip-9280", 10)]


def test_the_reason_of_a_withdrawal_may_name_a_successor() -> None:
    (found,) = specified("tide-fees-eip.md").superseded_by
    assert (found.kind, found.target, found.line) == ("proposal", "eip-9377", 11)


@pytest.mark.parametrize(
    ("reason", "targets"),
    [
        ("Replaced by [EIP-9](./eip-9.md).", ["eip-9"]),
        ("superseded by EIP 9 or ERC-10", ["eip-10", "eip-9"]),
        ("The author prefers EIP-9", []),
        ("It supersedes EIP-9", []),
        ("Superseded by events of 2024", []),
    ],
)
def test_reasons(reason: str, targets: list[str]) -> None:
    eip = record(PATH, f"---\neip: 9301\nwithdrawal-reason: {reason}\n---\n")
    assert [r.target for r in eip.superseded_by] == targets
    assert eip.supersedes == ()


@pytest.mark.parametrize(
    ("key", "field"), [("superseded-by", "superseded_by"), ("replaces", "supersedes")]
)
def test_keys_of_older_proposals(key: str, field: str) -> None:
    eip = record(PATH, f"---\neip: 9301\n{key}: 12, 13\n---\n")
    assert [r.target for r in getattr(eip, field)] == ["eip-12", "eip-13"]


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("Draft", "draft"),
        ("Review", "review"),
        ("Last Call", "review"),
        ("Final", "final"),
        ("Stagnant", "stagnant"),
        ("Withdrawn", "withdrawn"),
        ("Living", "active"),
        ("Moved", "moved"),
    ],
)
def test_statuses(written: str, normalized: str) -> None:
    eip = record(PATH, f"---\neip: 9301\nstatus: {written}\n---\n")
    assert eip.status is not None
    assert (eip.status.normalized, eip.status.line, eip.warnings) == (normalized, 3, ())


def test_one_that_moved_has_no_title() -> None:
    text = "---\neip: 20\ncategory: ERC\nstatus: Moved\n---\n\nThis file was moved.\n"
    eip = record("EIPS/eip-20.md", text)
    assert (eip.id, eip.title) == ("eip-20", "eip-20")


def test_an_erc_is_numbered_with_the_others() -> None:
    assert record("ERCS/erc-20.md", "---\neip: 20\n---\n").id == "eip-20"


def test_a_list_of_requirements() -> None:
    eip = record(PATH, "---\neip: 9301\nrequires: [12, 13]\n---\n")
    assert [r.target for r in eip.dependencies] == ["eip-12", "eip-13"]


def test_a_number_that_is_not_its_files() -> None:
    eip = record(PATH, "---\ntitle: X\neip: 12\n---\n")
    assert (eip.id, eip.identity.in_document, eip.identity.line) == ("eip-9301", "eip-12", 3)
    assert codes(eip) == ["id_mismatch"]


@pytest.mark.parametrize(
    "path", ["eip-template.md", "assets/eip-1057/vectors.md", "EIPS/eip-.md", "EIPS/eip-1.txt"]
)
def test_other_paths(path: str) -> None:
    assert classify(path) is None


def test_prose_of_that_name_is_none() -> None:
    assert parse(PATH, "b", b"# EIP 9301\n\neip: 9301\n") is None
