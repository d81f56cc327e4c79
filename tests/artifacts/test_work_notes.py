"""Retrospectives, handoffs and quality reports: whose they are."""

import pytest

from tests.artifacts.documents import record
from worker.artifacts import parse


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("docs/epics/epic-1-retrospective.md", "retrospective"),
        ("docs/sprint-artifacts/epic-1-retro-2025-01-02.md", "retrospective"),
        ("docs/sprint-artifacts/retrospective-epic-01.md", "retrospective"),
        ("docs/sprint-artifacts/sprint-retro-2025-01-02.md", "retrospective"),
        ("docs/retrospectives/pm-03-retrospective.md", "retrospective"),
        ("docs/stories/1-3-build-retro-page.md", "story"),
        ("HANDOFF-deployment.md", "handoff"),
        ("docs/handoffs/2025-01-02.md", "handoff"),
        ("docs/UNIFIED-DEPLOY-HANDOFF.md", "handoff"),
        ("docs/stories/1-3-agent-handoff.md", "story"),
        ("docs/qa/assessments/1.3-risk-20250812.md", "qa-report"),
        ("docs/qa/assessments/1.3-test-design-20250812.md", "qa-report"),
        ("docs/test-design-system.md", "qa-report"),
        ("docs/traceability_matrix.md", "qa-report"),
    ],
)
def test_kinds(path: str, kind: str) -> None:
    text = "# Notes\n\n## Story\n\nAs a user\n\n## Acceptance Criteria\n\n1. a\n"
    assert record(path, text).kind == kind


@pytest.mark.parametrize(
    ("path", "head", "epic", "story"),
    [
        ("docs/qa/assessments/1.3-risk-20250812.md", "# Risk profile", "1", "1.3"),
        ("docs/qa/assessments/risk.md", "# Risk: Story 1.3", "1", "1.3"),
        ("docs/qa/assessments/risk.md", "# Risk\n\n**Story:** 1.3 - Tokens", "1", "1.3"),
        ("docs/test-design-epic-4.md", "# Test design", "4", None),
        ("docs/handoffs/a.md", "# Handoff\n\nEpic: 7 - Ledger", "7", None),
        ("docs/handoffs/a.md", "# Handoff", None, None),
    ],
)
def test_whose_they_are(path: str, head: str, epic: str | None, story: str | None) -> None:
    found = record(path, head + "\n\n## Summary\n")
    assert (found.epic, found.story) == (epic, story)


def test_a_retrospective() -> None:
    text = (
        "# Retrospective: Epic 1 \u2014 Accounts\n\n**Date:** 2025-02-08\n**Facilitator:** Bo\n"
        "**Status:** Complete (7/7 stories done)\n\n## Action Items\n\n- [ ] Tidy fixtures\n\n"
        "## Lessons\n\n- [x] no action\n"
    )
    found = record("docs/sprint-artifacts/epic-1-retro-2025-02-08.md", text)
    assert (found.id, found.epic, found.owner) == ("epic-1-retro-2025-02-08", "1", "Bo")
    assert (found.dates.created, found.status and found.status.normalized) == ("2025-02-08", "done")
    assert [(t.text, t.done) for t in found.tasks] == [("Tidy fixtures", False)]


def test_a_handoff_claims_its_files() -> None:
    text = "# Handoff\n\n## Files Modified\n\n- `src/a.ts`\n\n## Next steps\n\n1. [ ] Ship\n"
    found = record("docs/handoffs/a.md", text)
    assert [(f.path, f.op) for f in found.files] == [("src/a.ts", "modified")]
    assert [t.text for t in found.tasks] == ["Ship"]


@pytest.mark.parametrize(
    "path",
    [
        "docs/templates/handoff.md",
        "docs/handoffs/template.md",
        "docs/handoffs/handoff-template.md",
        ".bmad-core/tasks/epic-1-retrospective.md",
        ".claude/skills/qa/assessments/risk.md",
        "src/qa/helpers.md",
    ],
)
def test_tools_and_templates_are_none(path: str) -> None:
    assert parse(path, "b", b"# Handoff\n\n## Next\n") is None
