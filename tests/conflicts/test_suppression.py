"""A document may allow a conflict; what allows nothing is told."""

import pytest

from tests.conflicts.records import EMPTY, RULES, allowing, story
from worker.artifacts.model import Artifact
from worker.conflicts.checking import check, keys_of
from worker.conflicts.model import Finding


def disagreeing(first: str | None = None, second: str | None = None) -> list[Artifact]:
    return [
        story("a/1.1.md", "done", suppressions=allowing(first) if first else ()),
        story("b/1.1.md", "draft", suppressions=allowing(second) if second else ()),
    ]


def found(documents: list[Artifact]) -> dict[str, Finding]:
    return {finding.code: finding for finding in check(documents, EMPTY, rules=RULES)}


@pytest.mark.parametrize("code", ["T1", "t1", "two-states", "*"])
@pytest.mark.parametrize("first", [True, False])
def test_either_document_can_allow_it_by_code_name_or_star(code: str, first: bool) -> None:
    findings = found(disagreeing(code) if first else disagreeing(None, code))
    assert findings.keys() == {"T1"}
    assert findings["T1"].suppressed == "agreed"


def test_what_is_not_allowed_is_not_marked() -> None:
    assert found(disagreeing())["T1"].suppressed is None


def test_allowing_leaves_the_fingerprint_as_it_is() -> None:
    assert found(disagreeing("T1"))["T1"].fingerprint == found(disagreeing())["T1"].fingerprint


def test_an_empty_reason_still_allows() -> None:
    documents = disagreeing()
    documents[0] = story("a/1.1.md", "done", suppressions=allowing("T1", ""))
    assert found(documents)["T1"].suppressed == "no reason given"


def test_another_document_cannot_allow_it() -> None:
    bystander = story("c/7.7.md", suppressions=allowing("T1"))
    assert found([*disagreeing(), bystander])["T1"].suppressed is None


@pytest.mark.parametrize(
    ("code", "words"),
    [("T2", "a conflict that is not there"), ("*", "is not there"), ("T9", "names no rule")],
)
def test_a_comment_that_allows_nothing_is_told(code: str, words: str) -> None:
    (finding,) = check([story("a/1.1.md", suppressions=allowing(code))], EMPTY, rules=RULES)
    assert (finding.code, finding.severity, finding.suppressed) == ("U1", "info", None)
    assert (finding.evidence[0].path, finding.evidence[0].line) == ("a/1.1.md", 9)
    assert words in finding.message
    assert finding.evidence[0].quote == f"conflict-ok: {code} agreed"


def test_one_of_two_comments_is_enough_and_both_count_as_needed() -> None:
    assert found(disagreeing("T1", "two-states")).keys() == {"T1"}


def test_whether_a_comment_is_needed_is_told_only_when_all_its_groups_are_checked() -> None:
    documents = [story("a/1.1.md", suppressions=allowing("T1"))]
    keys = keys_of(documents[0], RULES)
    assert len(keys) == 2
    assert [check(documents, EMPTY, [key], RULES) for key in keys] == [[], []]
    assert [f.code for f in check(documents, EMPTY, keys, RULES)] == ["U1"]


def test_a_document_that_is_compared_with_nothing_is_left_alone() -> None:
    document = story("tests/notes.md", story=None, suppressions=allowing("T1"))
    assert keys_of(document, RULES) == ("suppressions:tests/notes.md",)
    assert check([document], EMPTY, rules=RULES) == []
