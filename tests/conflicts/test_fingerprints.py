"""A finding is known again after its lines moved, and told from every other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conflicts.records import EMPTY, RULES, side, story
from worker.artifacts.model import Link
from worker.conflicts.checking import check
from worker.conflicts.fingerprints import fingerprint


def of(*quotes: str, code: str = "T1", key: str = "k", line: int = 1, of: str = "1.1") -> str:
    return fingerprint(code, key, [side(quote, of, line) for quote in quotes])


def test_it_is_32_hex_digits() -> None:
    assert len(of("x")) == 32
    assert set(of("x")) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other",
    ["Write the   guide", "  Write the guide ", "Write\n  the guide", "- [ ] Write the guide",
     "- [x] Write the guide", "3. Write the guide", "14) Write the guide", "## Write the guide",
     "  * [ ] 2. Write the guide"],
)  # fmt: skip
def test_it_outlives_numbering_and_white_space(other: str) -> None:
    assert of(other, line=99) == of("Write the guide", line=1)


@pytest.mark.parametrize("other", ["Write a guide", "write the guide", "Write the guide 2", ""])
def test_other_words_are_another_finding(other: str) -> None:
    assert of(other) != of("Write the guide")


def test_code_key_id_and_number_of_sides_tell_findings_apart() -> None:
    variants = [of("x"), of("x", code="T2"), of("x", key="l"), of("x", of="1.2"), of("x", "x")]
    assert len(set(variants)) == len(variants)


@given(st.lists(st.text("ab \n1.", max_size=9), min_size=2, max_size=4))
def test_the_order_of_sides_makes_no_difference(quotes: list[str]) -> None:
    assert of(*quotes) == of(*reversed(quotes))


def test_equal_findings_of_one_group_are_told_apart_by_their_order() -> None:
    def fingerprints(*lines: int) -> list[str]:
        links = tuple(Link(target="gone", anchor=None, line=line) for line in lines)
        found = check([story("a/1.1.md", links=links)], EMPTY, rules=RULES)
        assert [f.evidence[0].line for f in found] == sorted(lines)
        return [f.fingerprint for f in found]

    assert len(set(fingerprints(1, 2, 3))) == 3
    assert fingerprints(1, 2, 3) == fingerprints(30, 10, 20)
    assert fingerprints(7) == fingerprints(1, 2, 3)[:1]
