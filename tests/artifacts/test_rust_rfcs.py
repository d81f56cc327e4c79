"""Requests for comments in the manner of Rust: a bullet header, no status."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified
from worker.artifacts import classify, parse

PATH = "text/4512-lazy-anchors.md"
HEAD = "- Feature Name: `x`\n- Start Date: 2019-05-06\n"


def test_a_request() -> None:
    rfc = specified("lazy-anchors-rfc.md")
    assert (rfc.id, rfc.kind, rfc.subtype, rfc.title) == (
        "rfc-4512",
        "proposal",
        "rust",
        "lazy_anchors",
    )
    assert (rfc.dates.created, rfc.status) == ("2019-05-06", None)


@pytest.mark.parametrize("name", ["N/A", "n/a", "(none)", "`none`", ""])
def test_without_a_name_the_file_names_it(name: str) -> None:
    rfc = record(PATH, f"- Feature Name: {name}\n- Start Date: 2019-05-06\n")
    assert rfc.title == "lazy anchors"


@pytest.mark.parametrize(
    ("written", "in_document"),
    [
        ("[a/rfcs#4512](https://example.org/a/rfcs/pull/4512)", "rfc-4512"),
        ("[a/rfcs#2](https://example.org/pull/2), [a/rfcs#4512](x)", "rfc-4512"),
        ("https://example.org/a/rfcs/pull/0012", "rfc-12"),
        ("(leave this empty)", None),
        ("", None),
    ],
)
def test_the_pull_request_is_its_number(written: str, in_document: str | None) -> None:
    rfc = record(PATH, f"{HEAD}- RFC PR: {written}\n")
    assert (rfc.id, rfc.identity.in_document) == ("rfc-4512", in_document)
    assert ("id_mismatch" in codes(rfc)) == (in_document == "rfc-12")


def test_older_headers_spell_it_with_a_sign() -> None:
    rfc = record(PATH, f"{HEAD}- RFC PR #: [a/rfcs#4512](https://example.org/pull/4512)\n")
    assert (rfc.identity.in_document, rfc.identity.line) == ("rfc-4512", 3)


def test_the_line_of_a_contradiction() -> None:
    rfc = record(PATH, f"{HEAD}- RFC PR: a/rfcs#9\n")
    assert [(w.code, w.line) for w in rfc.warnings] == [("id_mismatch", 3)]


@pytest.mark.parametrize("path", ["rfcs/0001-x.md", "text/12345-x.md", "active-rfcs/0001-x.md"])
def test_where_they_lie(path: str) -> None:
    assert record(path, HEAD).kind == "proposal"


@pytest.mark.parametrize("path", ["0000-template.md", "text/x.md", "docs/0001-x.md"])
def test_other_paths(path: str) -> None:
    assert classify(path) is None


def test_a_note_that_it_moved_is_none() -> None:
    assert parse(PATH, "b", b"Moved to [4513](4513-x.md).\n") is None
