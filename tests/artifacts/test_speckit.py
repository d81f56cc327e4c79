"""Spec Kit: features in numbered folders, and the constitution."""

import pytest

from tests.artifacts.documents import codes, record
from tests.artifacts.specification import specified, text_of
from worker.artifacts import classify, parse

FEATURE = "007-berth-reservations"
TASKS = f"specs/{FEATURE}/tasks.md"


@pytest.mark.parametrize(
    ("name", "identifier", "kind"),
    [
        ("speckit-spec.md", FEATURE, "spec"),
        ("speckit-plan.md", FEATURE, "plan"),
        ("speckit-tasks.md", FEATURE, "tasks"),
        ("speckit-data-model.md", f"{FEATURE}/data-model", "design"),
    ],
)
def test_documents_of_a_feature_join_on_its_name(name: str, identifier: str, kind: str) -> None:
    found = specified(name)
    assert (found.id, found.kind, found.subtype) == (identifier, kind, "speckit")
    assert (found.epic, found.title) == (FEATURE, "Berth reservations")


def test_a_specification() -> None:
    spec = specified("speckit-spec.md")
    assert spec.status is not None
    assert (spec.status.normalized, spec.status.line) == ("draft", 5)
    assert (spec.dates.created, spec.identity.in_document) == ("2025-09-14", FEATURE)
    assert spec.warnings == ()


def test_stories_scenarios_and_requirements_are_criteria() -> None:
    criteria = specified("speckit-spec.md").acceptance_criteria
    assert [(c.n, c.line) for c in criteria] == [
        ("US1", 10),
        ("US1.1", 16),
        ("US1.2", 17),
        ("US2", 20),
        ("US2.1", 22),
        ("FR-001", 26),
        ("FR-002", 27),
        ("SC-001", 31),
    ]
    assert criteria[0].text == "Reserve a berth (Priority: P1)"
    assert criteria[2].text == (
        "Given no free berth, When the captain asks, Then a waiting list is offered."
    )


def test_tasks_and_what_they_serve() -> None:
    tasks = specified("speckit-tasks.md").tasks
    assert [(t.n, t.done, t.acs, t.line, t.level) for t in tasks] == [
        ("T001", True, (), 12, 0),
        ("T002", True, ("FR-001",), 13, 0),
        ("T003", False, ("US1",), 17, 0),
        ("T004", False, ("US1",), 18, 0),
        ("T004a", False, ("US2",), 19, 1),
    ]
    assert tasks[0].text == "Create src/harbour/__init__.py for the package"


def test_files_stand_on_the_lines_of_their_tasks() -> None:
    files = specified("speckit-tasks.md").files
    assert [(f.path, f.op, f.line) for f in files] == [
        ("src/harbour/__init__.py", "created", 12),
        ("src/harbour/tables.py", None, 13),
        ("tests/test_berths.py", None, 17),
        ("src/harbour/app/(night)/page.tsx", "modified", 17),
        ("src/harbour/old_berths.py", "deleted", 18),
    ]


def test_a_status_below_is_of_something_else() -> None:
    assert specified("speckit-plan.md").status is None


def test_a_constitution() -> None:
    found = specified("speckit-constitution.md")
    assert (found.id, found.kind, found.title) == (
        "constitution",
        "constitution",
        "Harbour Constitution",
    )
    assert (found.dates.created, found.dates.updated) == ("2025-06-13", "2025-07-16")


def test_a_branch_of_another_name_is_flagged() -> None:
    text = text_of("speckit-spec.md").replace(f"`{FEATURE}`", "`008-other`")
    spec = record(f"specs/{FEATURE}/spec.md", text)
    assert (spec.id, spec.identity.in_document, codes(spec)) == (
        FEATURE,
        "008-other",
        ["id_mismatch"],
    )


@pytest.mark.parametrize("branch", [f"`feature/{FEATURE}`", f"**{FEATURE}**", FEATURE.upper()])
def test_spellings_of_the_branch(branch: str) -> None:
    text = text_of("speckit-spec.md").replace(f"`{FEATURE}`", branch)
    assert record(f"specs/{FEATURE}/spec.md", text).warnings == ()


@pytest.mark.parametrize(
    "path",
    [f"docs/specs/{FEATURE}/spec.md", f".specify/specs/{FEATURE}/spec.md", "specs/x/spec.md"],
)
def test_where_they_lie(path: str) -> None:
    assert record(path, text_of("speckit-spec.md")).kind == "spec"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"specs/{FEATURE}/spec.md", "# Feature Specification: [FEATURE NAME]\n"),
        (f"specs/{FEATURE}/plan.md", "# Implementation Plan: [FEATURE]\n"),
        (".specify/memory/constitution.md", "# [PROJECT_NAME] Constitution\n"),
        ("specs/berths/plan.md", "# How we go on\n"),
        (f"specs/{FEATURE}/spec.md", "no heading\n"),
    ],
)
def test_templates_and_namesakes_are_none(path: str, text: str) -> None:
    assert classify(path) is not None
    assert parse(path, "b", text.encode()) is None


@pytest.mark.parametrize(
    "path",
    [
        ".specify/templates/spec-template.md",
        f"specs/{FEATURE}/quickstart.md",
        f"specs/{FEATURE}/contracts/api.md",
        "specs/spec.md",
        "docs/constitution.md",
        "src/007-x/spec.md",
    ],
)
def test_other_paths(path: str) -> None:
    assert classify(path) is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Create `src/a.py`", [("src/a.py", "created")]),
        ("create the new file src/a.py.", [("src/a.py", "created")]),
        ("Create a model in src/a.py", [("src/a.py", None)]),
        ("Update src/a.py, src/b.py", [("src/a.py", "modified"), ("src/b.py", None)]),
        (
            "Delete `old/a.py` and (see src/b.py:12-30)",
            [("old/a.py", "deleted"), ("src/b.py", None)],
        ),
        ("`src/a.py` and again src/a.py", [("src/a.py", None)]),
        ("in **src/a.py** or [src/b.ts]", [("src/a.py", None), ("src/b.ts", None)]),
        ("`app/[id]/page.tsx`", [("app/[id]/page.tsx", None)]),
        (".github/workflows/ci.yml", [(".github/workflows/ci.yml", None)]),
        ("https://example.org/a.html and/or GET /api/v1/x", []),
        ("the folder `src/berths/` or src/berths", []),
        ("`models.py` alone, src/*.py, src/<name>.py, ~/.bashrc", []),
        ("1.2/3.4 or v1/2.0", []),
    ],
)
def test_files_that_words_name(words: str, found: list[tuple[str, str | None]]) -> None:
    files = record(TASKS, f"# Tasks: X\n\n- [ ] T001 {words}\n").files
    assert [(f.path, f.op) for f in files] == found
