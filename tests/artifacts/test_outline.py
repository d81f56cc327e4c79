"""Sections: GitHub's anchors, repeats, and what a section's sha covers."""

import pytest

from tests.artifacts.documents import record
from worker.artifacts.model import Section
from worker.artifacts.outline import slug


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("Tasks / Subtasks", "tasks--subtasks"),
        ("Authentication & Authorization", "authentication--authorization"),
        ("1.2 What's new?", "12-whats-new"),
        ("`code_span` and **bold** _em_", "code_span-and-bold-em"),
        ("`__init__`", "__init__"),
        ("snake_case stays", "snake_case-stays"),
        ("See [the plan](plan.md) now", "see-the-plan-now"),
        ("Logo ![alt](a.png)", "logo-alt"),
        ('<a name="x"></a>Named', "named"),
        ("Critères d'acceptation", "critères-dacceptation"),
        ("验收标准", "验收标准"),
        ("Zażółć gęślą", "zażółć-gęślą"),
        ("🚀 Launch", "-launch"),
        ("⚠️ Warning", "\ufe0f-warning"),
        ("x² ① a", "x--a"),
        ("Tab\there", "tabhere"),
        ("---", "---"),
        ("!!!", ""),
    ],
)
def test_anchors_are_those_of_github(markup: str, expected: str) -> None:
    assert slug(markup) == expected


def sections(text: str) -> tuple[Section, ...]:
    return record("docs/epics/epic-1.md", text).sections


def test_repeated_anchors_are_numbered() -> None:
    found = sections("# A\n\n## B\n\n## B\n\n### b!\n")
    assert [section.anchor for section in found] == ["a", "b", "b-1", "b-2"]


def test_a_sha_covers_the_sections_own_lines_only() -> None:
    before = {s.title: s.sha for s in sections("# A\n\none\n\n## B\n\ntwo\n\n## C\n\nthree\n")}
    after = {s.title: s.sha for s in sections("# A\n\none\n\n## B\n\n2\n\n## C\n\nthree\n")}
    assert {title for title in before if before[title] != after[title]} == {"B"}
    assert all(len(sha) == 16 for sha in before.values())


def test_code_in_a_section_counts_for_its_sha() -> None:
    (before,), (after,) = sections("# A\n\n```\nx\n```\n"), sections("# A\n\n```\ny\n```\n")
    assert before.sha != after.sha
