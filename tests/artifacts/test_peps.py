"""Python enhancement proposals: an RFC 822 header over reStructuredText."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified
from worker.artifacts import classify, parse

PATH = "peps/pep-9121.rst"
HEAD = "PEP: 9121\nTitle: X\n"


def test_a_proposal() -> None:
    pep = specified("calm-imports-pep.rst")
    assert (pep.id, pep.kind, pep.subtype, pep.title) == (
        "pep-9121",
        "proposal",
        "pep",
        "Calm imports",
    )
    assert pep.owner == "Ada Quill <ada@example.org>, Grace Reed <grace@example.org>"
    assert pep.dates.created == "2021-03-08"


def test_references_of_a_continued_line_have_its_line() -> None:
    pep = specified("calm-imports-pep.rst")
    assert [(r.target, r.line, r.quote) for r in pep.dependencies] == [
        ("pep-9003", 8, "Requires: 9003, 9010,"),
        ("pep-9010", 8, "Requires: 9003, 9010,"),
        ("pep-9011", 9, "9011"),
    ]


def test_supersession() -> None:
    pep = specified("calm-imports-pep.rst")
    assert [r.target for r in pep.supersedes] == ["pep-9007"]
    assert [(r.target, r.quote) for r in pep.superseded_by] == [("pep-9130", "Superseded-By: 9130")]


def test_headings_by_the_order_of_their_underlines() -> None:
    pep = specified("calm-imports-pep.rst")
    assert [(s.title, s.level, s.line) for s in pep.sections] == [
        ("Abstract", 1, 15),
        ("Motivation", 1, 23),
        ("Noise", 2, 26),
        ("Noise again", 2, 35),
    ]


def test_an_overlined_heading_is_a_level_of_its_own() -> None:
    text = HEAD + "\n=====\nTitle\n=====\n\nText\n\nPart\n====\n\n~~~~\n\nMore\n~~~~\n"
    found = record(PATH, text).sections
    assert [(s.title, s.level) for s in found] == [("Title", 1), ("Part", 2), ("More", 3)]


@pytest.mark.parametrize(
    "text",
    [
        "Too wide a title\n====\n",
        " indented\n=========\n",
        "two lines\nof prose\n========\n",
        "\n====\n",
        "a  b\n==  ==\n",
        "ab\n==\n",
        "====\n",
    ],
)
def test_what_is_no_heading(text: str) -> None:
    assert record(PATH, HEAD + "\n" + text).sections == ()


def test_links() -> None:
    pep = specified("calm-imports-pep.rst")
    assert [(x.target, x.anchor, x.line) for x in pep.links] == [
        ("https://example.org/thread", "first", 18),
        ("calm.rst", None, 38),
    ]


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("Draft", "draft"),
        ("Accepted", "accepted"),
        ("Provisional", "accepted"),
        ("Final", "final"),
        ("Active", "active"),
        ("Rejected", "rejected"),
        ("Withdrawn", "withdrawn"),
        ("Deferred", "deferred"),
        ("Superseded", "superseded"),
    ],
)
def test_statuses(written: str, normalized: str) -> None:
    pep = record(PATH, f"{HEAD}Status: {written}\n")
    assert pep.status is not None
    assert (pep.status.normalized, pep.status.line, pep.warnings) == (normalized, 3, ())


@pytest.mark.parametrize("written", ["Draught", "Soon!"])
def test_what_is_no_status_is_said_to_be_none(written: str) -> None:
    pep = record(PATH, f"{HEAD}Status: {written}\n")
    assert pep.status is not None
    assert (pep.status.normalized, codes(pep)) == (None, ["unknown_status"])


@pytest.mark.parametrize(
    ("written", "created"),
    [
        ("18-Mar-2013", "2013-03-18"),
        ("1-Jul-2000", "2000-07-01"),
        ("2013-03-18", "2013-03-18"),
        ("18 March 2013", "2013-03-18"),
        ("18-Foo-2013", "18-Foo-2013"),
        ("spring", "spring"),
        ("", None),
    ],
)
def test_dates(written: str, created: str | None) -> None:
    assert record(PATH, f"{HEAD}Created: {written}\n").dates.created == created


@pytest.mark.parametrize(
    ("written", "targets"),
    [
        ("0020,1,2, 7", ["pep-1", "pep-2", "pep-20", "pep-7"]),
        ("PEP 440 and 508", ["pep-440", "pep-508"]),
        ("none", []),
        ("3.11", []),
    ],
)
def test_numbers_of_a_field(written: str, targets: list[str]) -> None:
    pep = record(PATH, f"{HEAD}Requires: {written}\n")
    assert [r.target for r in pep.dependencies] == targets


def test_fields_below_the_header_are_prose() -> None:
    pep = record(PATH, HEAD + "\nReplaces: 12\nStatus: Final\n")
    assert (pep.supersedes, pep.status) == ((), None)


def test_a_number_that_is_not_its_files() -> None:
    pep = record("peps/pep-0009.rst", "PEP: 8\nTitle: X\n")
    assert (pep.id, pep.identity.in_document, codes(pep)) == ("pep-9", "pep-8", ["id_mismatch"])


def test_a_remark_that_accepts_a_finding() -> None:
    (found,) = specified("calm-imports-pep.rst").suppressions
    assert (found.code, found.reason, found.line) == ("R2", "both stay readable", 21)


@pytest.mark.parametrize("path", ["peps/pep-0009.txt", "pep-9.rst"])
def test_where_they_lie(path: str) -> None:
    assert record(path, "PEP: 9\nTitle: X\n").id == "pep-9"


@pytest.mark.parametrize("path", ["peps/contents.rst", "pep-x.rst", "docs/notes.txt", "pep-9.md"])
def test_other_paths(path: str) -> None:
    assert classify(path) is None


def test_text_without_the_header_is_none() -> None:
    assert parse(PATH, "b", b"Calm imports\n============\n\nPEP: 9\n") is None
