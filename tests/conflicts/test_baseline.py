"""The file of accepted findings: read back as written, easy to review, never misread."""

from pathlib import Path

import pytest

from tests.conflicts.records import EMPTY, RULES, allowing, linking, story
from worker.conflicts.baseline import Baseline, baseline_of, read_baseline, write_baseline
from worker.conflicts.checking import check
from worker.conflicts.model import Finding
from worker.errors import InvalidInput


def findings() -> list[Finding]:
    documents = [
        story("a/1.1.md", "done", links=linking("gone.md", "lost.md")),
        story("b/1.1.md", "draft", suppressions=allowing("T1")),
    ]
    return check(documents, EMPTY, rules=RULES)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = baseline_of(findings())
    write_baseline(tmp_path / "baseline.json", written)
    assert read_baseline(tmp_path / "baseline.json") == written
    assert len(written.fingerprints) == 2


def test_what_documents_allow_is_not_in_it() -> None:
    assert {finding.code for finding in findings()} == {"T1", "T2"}
    assert {accepted.code for accepted in baseline_of(findings()).findings} == {"T2"}


def test_equal_findings_make_equal_files_whatever_their_order(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    write_baseline(first, baseline_of(findings()))
    write_baseline(second, baseline_of(findings()[::-1]))
    assert first.read_bytes() == second.read_bytes()


def test_one_finding_more_adds_lines_and_changes_none(tmp_path: Path) -> None:
    few, all_ = tmp_path / "few.json", tmp_path / "all.json"
    write_baseline(few, baseline_of(f for f in findings() if "gone" not in f.message))
    write_baseline(all_, baseline_of(findings()))
    lines = all_.read_text().splitlines()
    assert len(lines) - len(few.read_text().splitlines()) == 5
    assert set(few.read_text().splitlines()) <= set(lines)


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "nothing.json") is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"version": 2}', '{"findings": [{"code": "S1"}]}', '{"odd": 1}']
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(InvalidInput, match=r"b\.json is no baseline: .+ --update-baseline$") as no:
        read_baseline(tmp_path / "b.json")
    assert "\n" not in no.value.message


def test_a_folder_can_be_neither_read_nor_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_baseline(tmp_path)
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_baseline(tmp_path, Baseline())
