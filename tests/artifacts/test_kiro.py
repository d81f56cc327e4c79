"""Kiro: requirements, design, tasks, and steering."""

import pytest

from tests.artifacts.documents import record
from tests.artifacts.specification import specified
from worker.artifacts import classify

FOLDER = ".kiro/specs/berth-booking"


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [
        ("kiro-requirements.md", "requirements", "berth-booking"),
        ("kiro-design.md", "design", "Berth booking"),
        ("kiro-tasks.md", "tasks", "berth-booking"),
    ],
)
def test_documents_of_a_feature_join_on_its_name(name: str, kind: str, title: str) -> None:
    found = specified(name)
    assert (found.id, found.kind, found.subtype) == ("berth-booking", kind, "kiro")
    assert (found.epic, found.title, found.status) == ("berth-booking", title, None)


def test_requirements_and_their_criteria() -> None:
    criteria = specified("kiro-requirements.md").acceptance_criteria
    assert [(c.n, c.line) for c in criteria] == [
        ("1", 9),
        ("1.1", 15),
        ("1.2", 16),
        ("2", 18),
        ("2.1", 22),
        ("2.2", 23),
        ("3", 25),
    ]
    assert [c.text for c in criteria[3:]] == [
        "Cancel",
        "WHEN a captain cancels THEN the berth SHALL be free",
        "WHEN it is too late THEN the system SHALL refuse",
        "User Story: As a guard, I want a list.",
    ]


def test_tasks_and_the_criteria_they_cite() -> None:
    tasks = specified("kiro-tasks.md").tasks
    assert [(t.n, t.done, t.acs, t.line, t.level) for t in tasks] == [
        ("1", True, ("1.1", "1.2"), 3, 0),
        ("2", False, (), 7, 0),
        ("2.1", True, ("1.1",), 9, 1),
        ("2.2", False, ("1.2", "2.1", "3"), 11, 1),
        ("3", False, (), 14, 0),
    ]


@pytest.mark.parametrize(
    ("note", "cited"),
    [
        ("_Requirements: 1.1, 1.2_", ("1.1", "1.2")),
        ("_Requirement: 4_", ("4",)),
        ("**Validates: Requirements 1.1, 2.10**", ("1.1", "2.10")),
        ("Requirements: US-1, FR-2.3", ("US-1", "FR-2.3")),
        ("_Requisitos: 1.1 y 2.2_", ("1.1", "2.2")),
        ("_\u8981\u4ef6: 1.1\u30012.2_", ("1.1", "2.2")),
        ("_\u9700\u6c42\uff1a1.1, 2.2_", ("1.1", "2.2")),
        ("_Requirements: 1.2-1.4, 3_", ("1.2", "1.3", "1.4", "3")),
        ("_Requirements: All of them_", ()),
        ("NonRequirements: 1.1", ()),
        ("Version 1.2", ()),
        ("Requirements 2024", ()),
    ],
)
def test_citations(note: str, cited: tuple[str, ...]) -> None:
    (task,) = record(f"{FOLDER}/tasks.md", f"- [ ] 1. X\n  - {note}\n").tasks
    assert task.acs == cited


def test_notes_of_one_task_are_not_those_of_the_next() -> None:
    text = "- [ ] 1. X\n  - _Requirements: 1.1_\n- [ ] 2. Y\n\n  - _Requirements: 1.2_\n"
    tasks = record(f"{FOLDER}/tasks.md", text).tasks
    assert [(t.n, t.acs) for t in tasks] == [("1", ("1.1",)), ("2", ("1.2",))]


def test_a_list_behind_the_tasks_belongs_to_none() -> None:
    text = "- [ ] 1. X\n\n## Notes\n\n- _Requirements: 1.9_ in `src/a.py`\n"
    found = record(f"{FOLDER}/tasks.md", text)
    assert (found.tasks[0].acs, found.files) == ((), ())


def test_files_stand_on_the_lines_of_their_tasks() -> None:
    files = specified("kiro-tasks.md").files
    assert [(f.path, f.op, f.line) for f in files] == [
        ("src/harbour/berths.py", "created", 3),
        ("src/harbour/tables.py", None, 9),
    ]


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("Requirement 4: Ropes", "Ropes"),
        ("Requirement 4 - Ropes", "Ropes"),
        ("Requisito 4: Cuerdas", "Cuerdas"),
        ("\u8981\u4ef6 4: \u7db1", "\u7db1"),
        ("\u9700\u6c42 4\uff1a\u7ef3", "\u7ef3"),
        ("Anforderung 4", "1. WHEN x THEN y"),
    ],
)
def test_headings_in_other_words(heading: str, text: str) -> None:
    document = f"# X\n\n## Y\n\n### {heading}\n\n#### Z\n\n1. WHEN x THEN y\n"
    found = record(f"{FOLDER}/requirements.md", document).acceptance_criteria
    assert [c.n for c in found] == ["4", "4.1"]
    assert found[0].text == text


def test_phases_are_no_requirements() -> None:
    document = "# X\n\n## Y\n\n### Phase 1: First\n\n1. Do\n"
    assert record(f"{FOLDER}/requirements.md", document).acceptance_criteria == ()


def test_steering() -> None:
    found = specified("kiro-steering.md")
    assert (found.id, found.kind, found.title) == ("product", "steering", "What we build")


def test_steering_without_a_heading() -> None:
    assert record(".kiro/steering/tech.md", "Use what there is.\n").title == "tech"


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLDER}/notes.md",
        "kiro/steering/tech.md",
        ".kiro/hooks/x.md",
        ".kiro/settings/requirements.md",
        ".kiro/steering/notes.txt",
    ],
)
def test_other_paths(path: str) -> None:
    assert classify(path) is None
