"""Statuses that are no words, and dates that are in no order."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story
from worker.conflicts.rules.edit_distance import distance

PATH = "docs/stories/1.1.story.md"
KEP = "keps/sig-a/12-roof/kep.yaml"


def kep(status: str, more: str = "") -> dict[str, str]:
    return {KEP: f"title: Roof\nkep-number: 12\nstatus: {status}\n{more}"}


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [("done", "done", 0), ("imlpemented", "implemented", 1), ("doen", "done", 1),
     ("dne", "done", 1), ("draught", "draft", 3), ("abc", "xyz", 3), ("a", "abcdef", 3),
     ("", "ab", 2)],
)  # fmt: skip
def test_distance(one: str, other: str, steps: int) -> None:
    assert distance(one, other, 2) == min(steps, 3)
    assert distance(other, one, 2) == min(steps, 3)


def test_a_status_with_a_slip_in_it() -> None:
    (found,) = findings(kep("imlpemented"), "V1")
    assert brief([found]) == [("V1", "warning", [(KEP, 3)])]
    assert found.fix
    assert (found.fix.original, found.fix.replacement) == ("imlpemented", "implemented")


def test_a_slip_in_a_tracker() -> None:
    path = "docs/sprint-artifacts/sprint-status.yaml"
    files = {path: "development_status:\n  epic-1: done\n  1-1-mint: in-progres\n"}
    assert brief(findings(files, "V1")) == [("V1", "warning", [(path, 3)])]


@pytest.mark.parametrize("status", ["reviewed", "wip", "Contented", "v1.2", "Dona nobis", "Tests"])
def test_other_words_are_no_slips(status: str) -> None:
    assert findings({PATH: story("1.1", status)}, "V1") == []


@pytest.mark.parametrize(
    "status", ["provisional|implementable|implemented", "[status]", "TBD", "{{status}}"]
)
def test_a_choice_that_nobody_made(status: str) -> None:
    found = findings({PATH: story("1.1", status)}, "V1", "V2", "V3")
    assert brief(found) == [("V2", "warning", [(PATH, 3)])]


def test_an_unknown_word_is_told_once() -> None:
    files = {f"docs/stories/1.{n}.story.md": story(f"1.{n}", "Contented") for n in (1, 2, 3)}
    (found,) = findings(files, "V1", "V2", "V3")
    assert (found.code, found.severity) == ("V3", "info")
    assert found.message.startswith("3 documents use")


def test_another_unknown_word_is_told_apart() -> None:
    statuses = ["Contented", "Contented (since May)", "Aligned"]
    files = {f"docs/stories/1.{n}.story.md": story(f"1.{n}", s) for n, s in enumerate(statuses, 1)}
    assert [f.actual for f in findings(files, "V3")] == ["Contented", "Aligned"]


def test_updated_before_created() -> None:
    dates = "creation-date: 2021-11-03\nlast-updated: 2020-11-03\n"
    found = findings(kep("implementable", dates), "D1")
    assert [(f.severity, f.expected, f.actual) for f in found] == [
        ("warning", "2021-11-03 or later", "2020-11-03")
    ]


@pytest.mark.parametrize(
    ("created", "updated"),
    [("2021-11-03", "2021-11-03"), ("2021-11-03", "2022-01-01"), ("2021-13-45", "2020-01-01"),
     ("soon", "2020-01-01")],
)  # fmt: skip
def test_dates_in_order_or_none(created: str, updated: str) -> None:
    dates = f"creation-date: {created}\nlast-updated: {updated}\n"
    assert findings(kep("implementable", dates), "D1") == []


def change_log(*days: str) -> str:
    rows = "\n".join(f"| {day} | 1.{n} | Words | Ann |" for n, day in enumerate(days))
    table = f"| Date | Version | Description | Author |\n|---|---|---|---|\n{rows}"
    return story("1.1", body=f"## Change Log\n\n{table}\n")


def test_a_row_of_the_change_log_is_out_of_order() -> None:
    days = ("2025-01-02", "2025-01-05", "2024-01-06", "2025-01-09")
    assert brief(findings({PATH: change_log(*days)}, "D2")) == [("D2", "info", [(PATH, 20)])]


@pytest.mark.parametrize(
    "days",
    [("2025-01-02", "2025-01-02", "2025-01-09"), ("2025-01-09", "2025-01-05", "2025-01-02"),
     ("2025-01-09", "2025-01-02"), ("2025-01-09", "undated", "2025-01-02"),
     ("2025-01-03", "2025-01-01", "2025-01-04", "2025-01-02", "2025-01-05")],
)  # fmt: skip
def test_logs_that_go_up_or_down_or_nowhere(days: tuple[str, ...]) -> None:
    assert findings({PATH: change_log(*days)}, "D2") == []
