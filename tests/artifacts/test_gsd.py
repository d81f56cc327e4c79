"""GSD: roadmap, requirements, state, and the plans of phases."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified
from worker.artifacts import classify, parse

PLAN = ".planning/phases/02-booking/02-01-PLAN.md"


def test_a_roadmap_tracks_phases_and_plans_line_by_line() -> None:
    roadmap = specified("gsd-roadmap.md")
    assert (roadmap.id, roadmap.kind, roadmap.title) == ("roadmap", "roadmap", "Harbour")
    assert [(e.kind, e.target, e.status.normalized, e.line) for e in roadmap.entries] == [
        ("phase", "1", "done", 5),
        ("phase", "2", "backlog", 6),
        ("phase", "2.1", "backlog", 7),
        ("task", "2.1", "done", 15),
        ("task", "2.2", "backlog", 16),
        ("phase", "1", "done", 22),
        ("phase", "2", "in-progress", 23),
        ("phase", "2.1", "backlog", 24),
        ("phase", "3", None, 25),
    ]


def test_a_word_of_the_table_that_is_no_status_is_flagged() -> None:
    roadmap = specified("gsd-roadmap.md")
    assert [(w.code, w.line) for w in roadmap.warnings] == [("unknown_status", 25)]


def test_another_table_tracks_nothing() -> None:
    text = "# Roadmap: X\n\n| Risk | Status |\n|---|---|\n| 1 storm | Complete |\n"
    assert record(".planning/ROADMAP.md", text).entries == ()


def test_requirements_with_codes() -> None:
    found = specified("gsd-requirements.md")
    assert (found.id, found.kind, found.title) == ("requirements", "requirements", "Harbour")
    assert [(c.n, c.text, c.checked, c.line) for c in found.acceptance_criteria] == [
        ("BERTH-01", "A captain books a berth", True, 7),
        ("BERTH-02", "A captain cancels", False, 8),
        ("ROPE-01", "Ropes are rented", None, 12),
    ]


def test_a_state() -> None:
    state = specified("gsd-state.md")
    assert (state.id, state.kind, state.dates.updated) == ("state", "milestone", "2026-01-09")
    assert state.status is not None
    assert (state.status.raw, state.status.normalized, state.status.line) == (
        "executing",
        "in-progress",
        4,
    )


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("Ready to plan", "ready"),
        ("Ready to execute", "ready"),
        ("Phase complete", "done"),
        ("In progress", "in-progress"),
        ("completed", "done"),
        ("unknown", None),
    ],
)
def test_statuses(written: str, normalized: str | None) -> None:
    text = f"# Project State\n\n## Current Position\n\nStatus: {written}\n"
    state = record(".planning/STATE.md", text)
    assert state.status is not None
    assert state.status.normalized == normalized
    assert codes(state) == ([] if normalized else ["unknown_status"])


def test_a_plan() -> None:
    plan = specified("gsd-plan.md")
    assert (plan.id, plan.kind, plan.epic) == ("2.1", "plan", "02-booking")
    assert [(f.path, f.line) for f in plan.files] == [
        ("src/harbour/tables.py", 7),
        ("src/harbour/berths.py", 8),
    ]


def test_the_only_plan_of_a_phase() -> None:
    text = "---\nphase: 02-booking\nfiles_modified: [a/b.py, c/d.py]\n---\n"
    plan = record(".planning/phases/02-booking/PLAN.md", text)
    assert plan.id == "02-booking"
    assert [(f.path, f.line) for f in plan.files] == [("a/b.py", 3), ("c/d.py", 3)]


def test_a_plan_without_front_matter_is_none() -> None:
    assert parse(PLAN, "b", b"# Plan\n") is None


def test_a_project() -> None:
    found = record(".planning/PROJECT.md", "# Harbour\n\n## What This Is\n")
    assert (found.id, found.kind, found.title) == ("project", "prd", "Harbour")


@pytest.mark.parametrize(
    "path",
    [
        "docs/ROADMAP.md",
        ".planning/config.md",
        ".planning/phases/02-booking/02-01-SUMMARY.md",
        "phases/02-booking/02-01-PLAN.md",
    ],
)
def test_other_paths(path: str) -> None:
    family = classify(path)
    assert family is None or family.kind != "plan"
