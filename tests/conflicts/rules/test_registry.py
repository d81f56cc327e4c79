"""The list of rules as people and tools know them."""

import re

import pytest

from tests.conflicts.rules.repository import artifacts, story
from worker.conflicts.base import Rule
from worker.conflicts.rules import RULES

BY_CODE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def test_codes_and_names_are_each_used_once() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


@BY_CODE
def test_a_rule_presents_itself(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]\d{1,2}[a-z]?", rule.code)
    assert re.fullmatch(r"[a-z]+(?:-[a-z]+)+", rule.name)
    assert rule.summary.endswith(".")
    assert len(rule.summary) <= 100


@pytest.mark.parametrize("folder", ["tests/data", "Test/docs", "a/__tests__"])
def test_documents_for_tests_are_left_alone(folder: str) -> None:
    (document,) = artifacts({f"{folder}/stories/1.1.story.md": story("1.1")})
    assert [key for rule in RULES for key in rule.keys(document)] == []
    (document,) = artifacts({"docs/stories/1.1.story.md": story("1.1")})
    assert [key for rule in RULES for key in rule.keys(document)]
