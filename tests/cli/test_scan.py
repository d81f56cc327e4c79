"""`switchyard scan`: what documents say, without any server."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Alone
from tests.conflicts.places import Checkout, story_text, write

FILES = {
    "docs/stories/1.1.story.md": story_text("1.1"),
    "docs/stories/1.2.story.md": story_text("1.2", "Draft"),
    "docs/stories/1.3.story.md": story_text("1.3", "Sort of ready-ish"),
    "docs/adr/0001-cents.md": "# 1. Keep cents\n\n## Status\n\nAccepted\n\n## Context\n\nMoney.\n",
}


def rows(told: str) -> list[list[str]]:
    return [line.split() for line in told.splitlines()]


def test_kinds_statuses_and_warnings_are_counted(alone: Alone, tmp_path: Path) -> None:
    ran = alone("scan", write(tmp_path, FILES))
    assert (ran.code, ran.err) == (0, "")
    assert rows(ran.out)[:5] == [
        ["kind", "status", "documents"], ["adr", "accepted", "1"], ["story", "done", "1"],
        ["story", "draft", "1"], ["story", "not", "understood", "1"],
    ]  # fmt: skip
    (warning,) = [row for row in rows(ran.out) if row[:2] == ["unknown_status", "1"]]
    assert warning[2] == "docs/stories/1.3.story.md:5"


def test_the_current_folder_is_read_unless_one_is_given(
    alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path, FILES))
    assert alone("scan").out == alone("scan", tmp_path).out


def test_documents_of_a_kind_are_listed(alone: Alone, tmp_path: Path) -> None:
    told = rows(alone("scan", write(tmp_path, FILES), "--kind", "adr").out)
    assert told == [["id", "status", "title", "path"],
                    ["0001", "accepted", "Keep", "cents", "docs/adr/0001-cents.md"]]  # fmt: skip
    both = alone("scan", tmp_path, "--kind", "adr", "--kind", "story").out
    assert len(rows(both)) == 5
    assert alone("scan", tmp_path, "--kind", "nothing").out == "none\n"


def test_records_are_printed_whole_and_sorted(alone: Alone, tmp_path: Path) -> None:
    answer = json.loads(alone("scan", write(tmp_path, FILES), "--json").out)
    assert [record["path"] for record in answer["artifacts"]] == sorted(FILES)
    assert answer["commit"] is None
    record = answer["artifacts"][1]
    assert record["acceptanceCriteria"][0]["text"] == "It works."
    assert len(record["tasks"]) == 4
    few = json.loads(alone("scan", tmp_path, "--json", "--kind", "adr").out)
    assert [record["kind"] for record in few["artifacts"]] == ["adr"]


def test_the_same_commit_gives_the_same_bytes(alone: Alone, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "r", FILES)
    commit = checkout.commit({})
    first = alone("scan", checkout.path, "--json", "--commit", "HEAD").out
    write(checkout.path, {"docs/stories/1.1.story.md": "changed"})
    assert alone("scan", checkout.path, "--json", "--commit", commit).out == first
    assert json.loads(first)["commit"] == commit


def test_only_what_lies_in_the_folder_is_told(alone: Alone, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "r", FILES)
    told = rows(alone("scan", checkout.path / "docs" / "adr").out)
    assert told == [["kind", "status", "documents"], ["adr", "accepted", "1"]]


def test_nothing_is_told_as_none(alone: Alone, tmp_path: Path) -> None:
    assert alone("scan", tmp_path).out == "none\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["nowhere"], "cannot be read"), (["--commit", "nope"], "is not in a git repository"),
     (["file.txt"], "is a file")],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(
    alone: Alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], problem: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(write(tmp_path, {"file.txt": "x"}))
    ran = alone("scan", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("switchyard: ")
    assert problem in ran.err
