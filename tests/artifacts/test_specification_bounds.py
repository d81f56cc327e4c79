"""Hostile proposals and specifications: linear time, bounded records."""

import pytest

from tests.artifacts.documents import record
from tests.artifacts.specification import PLACES, text_of
from tests.artifacts.test_bounds import assert_linear
from worker.artifacts.text import MAX_ITEMS

TASKS = ("speckit-tasks.md", "kiro-tasks.md", "openspec-tasks.md")
CASES = [
    *[(name, unit) for name in TASKS for unit in ("- [ ] T001 `a/b.py` ", "a/", "`a/b.py` ")],
    ("speckit-tasks.md", "create the new file "),
    ("speckit-tasks.md", "[US1] FR-001 "),
    ("speckit-spec.md", "### User Story 1\n1. a\n"),
    ("speckit-spec.md", "- **FR-001**: x\n"),
    ("kiro-tasks.md", "- [ ]* 1.1 a\n  - _Requirements: 1.1_\n"),
    ("kiro-tasks.md", "_Requirements: 1.1, "),
    ("kiro-requirements.md", "### Requirement 1\n1.1 a\n"),
    ("openspec-spec.md", "### Requirement: a\n"),
    ("gsd-roadmap.md", "- [ ] **Phase 1: a** b\n"),
    ("gsd-roadmap.md", "| 1. a | x |\n"),
    ("gsd-requirements.md", "AB-1: "),
    ("quiet-mode-kep.yaml", "  - /keps/a/1-b\n"),
    ("quiet-mode-kep.yaml", "replaces:\n"),
    ("calm-imports-pep.rst", "a\n====\n"),
    ("calm-imports-pep.rst", "====\n"),
    ("calm-imports-pep.rst", "`a <b"),
    ("calm-imports-pep.rst", ".. _a: b\n"),
    ("tide-fees-eip.md", "superseded by EIP-1 "),
    ("soft-errors-swift.md", "* Superseded by: [SE-0001]("),
    ("lazy-anchors-rfc.md", "- RFC PR: #1 /pull/"),
    ("log4brains-adr.md", "- Supersedes [a](b) "),
]


@pytest.mark.parametrize(("name", "unit"), CASES)
def test_a_repeated_unit_takes_linear_time(name: str, unit: str) -> None:
    assert_linear(PLACES[name], unit, before=text_of(name))


def test_a_long_header_takes_linear_time() -> None:
    assert_linear(PLACES["calm-imports-pep.rst"], "Requires: 1, 2\n 3, 4\n", before="PEP: 1\n")
    before = "kep-number: 1\nreplaces:\n"
    assert_linear(PLACES["quiet-mode-kep.yaml"], "  - >\n    a/1-b\n", before=before)
    before = "---\neip: 1\nrequires: "
    assert_linear(PLACES["tide-fees-eip.md"], "1, ", before=before, after="\n---\n")


@pytest.mark.parametrize("name", TASKS)
def test_counts_are_capped(name: str) -> None:
    text = text_of(name) + "".join(
        f"- [ ] T{n} 1.{n} `a/{n}.py` `b/{n}.py`\n" for n in range(3_000)
    )
    found = record(PLACES[name], text)
    unnumbered = 1
    assert MAX_ITEMS - unnumbered <= len(found.tasks) <= MAX_ITEMS
    assert len(found.files) == MAX_ITEMS


def test_references_are_capped() -> None:
    numbers = ", ".join(str(n) for n in range(1, 2_000))
    eip = record("EIPS/eip-1.md", f"---\neip: 1\nrequires: {numbers}\n---\n")
    assert len(eip.dependencies) == 200
