"""Decisions and proposals that replace each other."""

import pytest

from tests.conflicts.rules.repository import brief, findings

OLD, NEW = "docs/adr/0004-tents.md", "docs/adr/0009-houses.md"


def adr(number: int, status: str, more: str = "") -> str:
    return (
        f"# {number}. Shelter\n\n## Status\n\n{status}\n\n## Context\n\nIt rains. {more}\n\n"
        "## Decision\n\nShelter.\n"
    )


def pep(number: int, status: str, *fields: str) -> str:
    rows = "\n".join(fields)
    return (
        f"PEP: {number}\nTitle: Shelter\nAuthor: A. Nyone <a@example.org>\nStatus: {status}\n"
        f"Type: Informational\nCreated: 01-Mar-2020\n{rows}\n\nAbstract\n========\n\nIt rains.\n"
    )


def test_both_sides_know() -> None:
    files = {
        OLD: adr(4, "Superseded by [9. Houses](0009-houses.md)"),
        NEW: adr(9, "Accepted\n\nSupersedes [4. Tents](0004-tents.md)"),
    }
    assert findings(files, "R1", "R2", "R2b", "R2c", "R3") == []


def test_the_successor_does_not_exist() -> None:
    (found,) = findings({OLD: adr(4, "Superseded by [9. Houses](0009-houses.md)")}, "R1", "R3")
    assert brief([found]) == [("R1", "error", [(OLD, 5)])]
    assert found.expected == "a document 0009"


def test_what_was_replaced_may_have_been_deleted() -> None:
    files = {NEW: adr(9, "Accepted\n\nSupersedes ADR-4")}
    assert brief(findings(files, "R1")) == [("R1", "warning", [(NEW, 7)])]


def test_the_old_decision_still_calls_itself_accepted() -> None:
    files = {OLD: adr(4, "Accepted"), NEW: adr(9, "Accepted\n\nSupercedes ADR-4")}
    found = findings(files, "R1", "R2", "R2b", "R3")
    assert brief(found) == [("R2", "warning", [(NEW, 7), (OLD, 5)])]
    assert found[0].expected == "superseded by 0009"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Deprecated", "Accepted\n\nSupersedes ADR-4"),
        ("Accepted", "Proposed\n\nSupersedes ADR-4"),
        ("Accepted", "Accepted\n\nSupersedes part of ADR-4"),
    ],
)
def test_the_old_decision_need_not_know_yet(old: str, new: str) -> None:
    assert findings({OLD: adr(4, old), NEW: adr(9, new)}, "R2") == []


def test_prose_that_speaks_of_supersession_states_none() -> None:
    prose = "Note that [9](0009-houses.md) supersedes ADR 4, as we said."
    files = {
        OLD: adr(4, "Accepted"),
        NEW: adr(9, "Accepted"),
        "docs/adr/0011-gardens.md": adr(11, "Accepted", prose),
    }
    assert findings(files, "R1", "R2", "R2c") == []


@pytest.mark.parametrize(
    "text", ["Replaces the fixed threshold of 4", "**Supersedes:** Story 4.3b, the part on tents"]
)
def test_a_number_in_a_sentence_is_no_decision(text: str) -> None:
    files = {OLD: adr(4, "Accepted"), NEW: adr(9, f"Accepted\n\n{text}")}
    assert findings(files, "R1", "R2") == []


def test_the_successor_is_not_in_force() -> None:
    files = {
        OLD: adr(4, "Accepted\n\nSuperseded by ADR-9"),
        NEW: adr(9, "Proposed\n\nSupersedes ADR-4"),
    }
    assert brief(findings(files, "R2", "R2b")) == [("R2b", "warning", [(OLD, 7), (NEW, 5)])]


def test_who_never_was_in_force_may_wait_for_a_successor() -> None:
    files = {
        OLD: adr(4, "Rejected\n\nSuperseded by ADR-9"),
        NEW: adr(9, "Proposed\n\nSupersedes ADR-4"),
    }
    assert findings(files, "R2b") == []


def test_the_successor_does_not_say_so() -> None:
    files = {OLD: adr(4, "Superseded by ADR-9"), NEW: adr(9, "Accepted")}
    assert brief(findings(files, "R2c")) == [("R2c", "info", [(OLD, 5), (NEW, 5)])]


def test_superseded_by_nothing() -> None:
    assert brief(findings({OLD: adr(4, "Superseded")}, "R3")) == [("R3", "warning", [(OLD, 5)])]


def test_superseded_by_what_another_document_says() -> None:
    files = {OLD: adr(4, "Superseded"), NEW: adr(9, "Accepted\n\nSupersedes ADR-4")}
    assert findings(files, "R3") == []


def test_decisions_of_two_folders_share_no_numbers() -> None:
    files = {
        OLD: adr(4, "Accepted"),
        NEW: adr(9, "Accepted\n\nSupersedes ADR-4"),
        "lib/adr/0004-oars.md": adr(4, "Accepted"),
    }
    assert [f.evidence[1].path for f in findings(files, "R2")] == [OLD]


def test_proposals_are_compared_like_decisions() -> None:
    one, other = "peps/pep-0100.rst", "peps/pep-0200.rst"
    files = {one: pep(100, "Final"), other: pep(200, "Final", "Replaces: 100")}
    assert brief(findings(files, "R2")) == [("R2", "warning", [(other, 7), (one, 4)])]
    files[one] = pep(100, "Superseded", "Superseded-By: 200")
    assert findings(files, "R1", "R2", "R2b", "R2c", "R3") == []


@pytest.mark.parametrize("target", ["n/a", "/keps/sig-ccc/3456-replaced-kep"])
def test_the_words_of_a_template_name_nothing(target: str) -> None:
    text = f'title: Roof\nkep-number: 12\nstatus: implementable\nreplaces:\n  - "{target}"\n'
    assert findings({"keps/sig-a/12-roof/kep.yaml": text}, "R1") == []
