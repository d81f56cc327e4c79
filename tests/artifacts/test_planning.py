"""Requirements, architecture and milestones."""

import pytest

from tests.artifacts.documents import record
from worker.artifacts import parse

PRD = """\
---
status: complete
author: Noor
---
# Ledgerly Product Requirements Document (PRD)

**Status:** Draft

## Goals and Background Context

### Change Log

| Date | Version | Description | Author |
|---|---|---|---|
| 2025-02-01 | 0.1 | First | Noor |

## Epic List

## Epic 1: Accounts

### Story 1.1: Sign in

**Status:** Done

### Story 1.2: Stay in

## Epic 2 - Ledger

**Status:** In Progress
"""


def test_a_prd() -> None:
    prd = record("docs/prd.md", PRD)
    assert (prd.id, prd.kind, prd.subtype, prd.owner) == ("prd", "prd", "prd", "Noor")
    assert prd.status is not None
    assert (prd.status.normalized, prd.status.line) == ("done", 2)
    assert [(e.kind, e.target, e.status.raw, e.line) for e in prd.entries] == [
        ("epic", "1", "", 19),
        ("story", "1.1", "Done", 21),
        ("story", "1.2", "", 25),
        ("epic", "2", "In Progress", 27),
    ]
    assert [e.status.normalized for e in prd.entries] == [None, "done", None, "in-progress"]
    assert [c.version for c in prd.change_log] == ["0.1"]


@pytest.mark.parametrize(
    ("path", "kind", "subtype", "artifact_id"),
    [
        ("docs/PRD.md", "prd", "prd", "prd"),
        ("docs/modules/shop/PRD.md", "prd", "prd", "prd"),
        ("_bmad-output/planning-artifacts/prd.md", "prd", "prd", "prd"),
        ("_bmad-output/planning-artifacts/prd-ledger.md", "prd", "prd", "prd-ledger"),
        ("docs/15-reporting-prd.md", "prd", "prd", "15-reporting-prd"),
        ("docs/prd/requirements.md", "prd", "shard", "requirements"),
        ("docs/architecture.md", "architecture", "architecture", "architecture"),
        ("docs/ui-architecture.md", "architecture", "architecture", "ui-architecture"),
        ("docs/architecture/tech-stack.md", "architecture", "shard", "tech-stack"),
        ("docs/milestones/m1-alpha.md", "milestone", "milestone", "milestone-1"),
        ("docs/milestone-2.1-beta.md", "milestone", "milestone", "milestone-2.1"),
        ("docs/milestones/public-beta.md", "milestone", "milestone", "public-beta"),
    ],
)  # fmt: skip
def test_kinds(path: str, kind: str, subtype: str, artifact_id: str) -> None:
    found = record(path, "# The PRD\n\n## Requirements\n")
    assert (found.kind, found.subtype, found.id) == (kind, subtype, artifact_id)
    assert found.title == "The PRD"


def test_a_status_further_down_is_not_the_documents() -> None:
    text = "# Architecture\n\n## Overview\n\n## Packages\n\n**Status:** Legacy package\n"
    found = record("docs/architecture.md", text)
    assert (found.status, found.warnings) == (None, ())


def test_a_status_in_prose_is_kept_and_not_flagged() -> None:
    found = record("docs/architecture.md", "# Architecture\n\n**Status:** Living with it\n")
    assert found.status is not None
    assert (found.status.raw, found.warnings) == ("Living with it", ())


@pytest.mark.parametrize(
    "path",
    [
        "docs/prd-validation-report.md",
        "docs/prd-checklist.md",
        "docs/prd.md",
        "docs/architecture/checklist-results-report.md",
    ],
)
def test_reports_and_prose_are_none(path: str) -> None:
    assert parse(path, "b", b"# Something else\n\nprose\n") is None


def test_a_milestone() -> None:
    text = (
        "# Milestone 3: Beta\n\n**Status:** In progress\n**Depends on:** Epics 1-2\n\n"
        "## Deliverables\n\n- [x] Sign in\n- [ ] Ledger\n\n## Epic 4: Reports\n\nStatus: done\n"
    )
    found = record("docs/milestones/milestone-3.md", text)
    assert (found.id, found.status and found.status.normalized) == ("milestone-3", "in-progress")
    assert [(t.text, t.done) for t in found.tasks] == [("Sign in", True), ("Ledger", False)]
    assert [d.target for d in found.dependencies] == ["1", "2"]
    assert [(e.target, e.status.normalized) for e in found.entries] == [("4", "done")]
