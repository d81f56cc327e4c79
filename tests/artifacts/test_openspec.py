"""OpenSpec: capabilities, changes, and what is archived."""

import pytest

from tests.artifacts.documents import record
from tests.artifacts.specification import specified, text_of
from worker.artifacts import classify, parse

CHANGE = "openspec/changes/add-waiting-lists"
ARCHIVED = "openspec/changes/archive/2026-01-02-add-waiting-lists"


def test_a_capability() -> None:
    spec = specified("openspec-spec.md")
    assert (spec.id, spec.kind, spec.subtype, spec.epic) == (
        "berth-booking",
        "spec",
        "openspec",
        "berth-booking",
    )
    assert (spec.title, spec.status) == ("Berth Booking Specification", None)


def test_requirements_and_scenarios_are_counted() -> None:
    criteria = specified("openspec-spec.md").acceptance_criteria
    assert [(c.n, c.text, c.line) for c in criteria] == [
        ("1", "Booking", 9),
        ("1.1", "A free berth", 13),
        ("1.2", "A taken berth", 18),
        ("2", "Cancelling", 23),
    ]


@pytest.mark.parametrize(
    ("name", "identifier", "kind"),
    [
        ("openspec-proposal.md", "add-waiting-lists", "change"),
        ("openspec-tasks.md", "add-waiting-lists", "tasks"),
        ("openspec-delta.md", "add-waiting-lists/berth-booking", "spec"),
    ],
)
def test_documents_of_a_change_join_on_its_name(name: str, identifier: str, kind: str) -> None:
    found = specified(name)
    assert (found.id, found.kind, found.epic) == (identifier, kind, "add-waiting-lists")
    assert found.status is None


def test_a_title_only_where_there_is_one() -> None:
    assert specified("openspec-proposal.md").title == "Add waiting lists"
    assert specified("openspec-tasks.md").title == "add-waiting-lists"


def test_tasks() -> None:
    found = specified("openspec-tasks.md")
    assert [(t.n, t.done, t.line) for t in found.tasks] == [
        ("1.1", True, 3),
        ("1.2", False, 4),
        ("2.1", False, 8),
    ]
    assert [(f.path, f.op, f.line) for f in found.files] == [
        ("src/harbour/waiting.py", "created", 3),
        ("src/harbour/berths.py", "modified", 4),
    ]


def test_what_modifies_a_capability_depends_on_it() -> None:
    (found,) = specified("openspec-delta.md").dependencies
    assert (found.kind, found.target, found.line) == ("spec", "berth-booking", 7)
    assert found.quote == "## MODIFIED Requirements"


@pytest.mark.parametrize(
    ("heading", "depends"), [("ADDED", False), ("REMOVED", True), ("RENAMED", True)]
)
def test_what_only_adds_depends_on_nothing(heading: str, depends: bool) -> None:
    text = f"## {heading} Requirements\n\n### Requirement: X\n"
    found = record(f"{CHANGE}/specs/berth-booking/spec.md", text)
    assert bool(found.dependencies) is depends


@pytest.mark.parametrize("name", ["proposal", "tasks", "design"])
def test_an_archived_change_says_so_by_its_folder(name: str) -> None:
    found = record(f"{ARCHIVED}/{name}.md", "# X\n\n**Status:** Draft\n")
    assert found.status is not None
    assert (found.status.raw, found.status.normalized) == ("archive", "archived")
    assert found.id == "2026-01-02-add-waiting-lists"


def test_an_archived_delta_depends_on_nothing_any_more() -> None:
    found = record(f"{ARCHIVED}/specs/berth-booking/spec.md", text_of("openspec-delta.md"))
    assert (found.id, found.dependencies) == ("2026-01-02-add-waiting-lists/berth-booking", ())


def test_a_repository_below_another() -> None:
    path = f"services/harbour/{CHANGE}/proposal.md"
    assert record(path, text_of("openspec-proposal.md")).id == "add-waiting-lists"


@pytest.mark.parametrize(
    "path",
    [
        "openspec/initiatives/x/tasks.md",
        "openspec/changes/tasks.md",
        "openspec/specs/spec.md",
        "docs/openspec/tasks.md",
    ],
)
def test_what_lies_elsewhere_is_none(path: str) -> None:
    assert parse(path, "b", b"# X\n\n- [ ] 1.1 X\n") is None


@pytest.mark.parametrize(
    "path", ["openspec/project.md", "openspec/AGENTS.md", "schemas/templates/spec.md"]
)
def test_other_paths(path: str) -> None:
    assert classify(path) is None
