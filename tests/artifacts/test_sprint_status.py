"""Sprint status: an entry a line, whatever the YAML is worth."""

import pytest

from tests.artifacts.documents import codes, record, stored
from worker.artifacts import parse

PATH = "docs/sprint-artifacts/sprint-status.yaml"
Row = tuple[str, str | None, str | None, int]


def rows(text: str) -> list[Row]:
    entries = record(PATH, text).entries
    return [(e.kind, e.target, e.status.normalized, e.line) for e in entries]


def test_a_sprint_status() -> None:
    found = stored("sprint-status.yaml")
    assert (found.id, found.kind, found.title) == ("sprint-status", "sprint-status", "Ledgerly")
    assert found.dates.created == "2025-06-01"
    assert [
        (e.key, e.kind, e.target, e.status.raw, e.status.normalized) for e in found.entries
    ] == [
        ("epic-1", "epic", "1", "done", "done"),
        ("1-1-sign-in", "story", "1.1", "done", "done"),
        ("1-2-session-tokens", "story", "1.2", "review", "review"),
        ("1-2a-token-rotation", "story", "1.2a", "drafted", "draft"),
        ("epic-1-retrospective", "retrospective", "1", "optional", "optional"),
        ("epic-2-5", "epic", "2.5", "contexted", "in-progress"),
        ("2-5-1-import-30-day-window", "story", "2.5.1", "ready-for-dev", "ready"),
        ("pm-03-4-reports", "story", "pm.3.4", "in-progress", "in-progress"),
        ("pm-03", "epic", "pm.3", "backlog", "backlog"),
        ("tidy-fixtures", "action", None, "open", "backlog"),
    ]
    assert [e.line for e in found.entries] == [8, 9, 10, 11, 12, 14, 15, 16, 17, 21]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("development_status:\n  3a-1-x: done\n", [("story", "3a.1", "done", 2)]),
        ("development_status:\n  EPIC-1A: Done\n", [("epic", "1a", "done", 2)]),
        ("development_status:\n  epic-1-accounts: done\n", [("epic", "1", "done", 2)]),
        ("development_status:\n  some-idea: backlog\n", [("story", None, "backlog", 2)]),
        ("development_status:\n  1-1-x: done soon # 2/3\n", [("story", "1.1", "done", 2)]),
        ("development_status:\n  1-1-x: marinating\n", [("story", "1.1", None, 2)]),
        ("development_status:\n  1-1-x:\n    status: done\n", [("story", "1.1", "done", 3)]),
        ("stories:\n- id: 1-1-x\n  status: done\n", [("story", "1.1", "done", 3)]),
        ("development_status: {}\n", []),
        ("development_status:\n", []),
    ],
)
def test_forms(text: str, expected: list[Row]) -> None:
    assert rows(text) == expected


def test_what_is_not_yaml_is_read_line_by_line() -> None:
    text = (
        "development_status:\n  epic-1: done\n\t1-1-x: review # so\n  oops [: x\n  1-2-y: 'done'\n"
    )
    found = record(PATH, text)
    assert codes(found) == ["invalid_yaml"]
    assert [(e.key, e.status.raw, e.line) for e in found.entries] == [
        ("epic-1", "done", 2),
        ("1-1-x", "review", 3),
        ("1-2-y", "done", 5),
    ]


def test_a_key_that_stands_twice_is_flagged() -> None:
    text = "development_status:\n  1-1-x: done\n  1-2-y: done\n  1-1-x: review\n"
    found = record(PATH, text)
    assert [(w.code, w.line) for w in found.warnings] == [("duplicate_key", 4)]
    assert len(found.entries) == 3


@pytest.mark.parametrize("text", ["", "- a\n", "on: push\n", "words\n", "epics\n"])
def test_other_yaml_is_none(text: str) -> None:
    assert parse(PATH, "b", text.encode()) is None
