"""Change logs: tables of any column order, dated lists."""

import pytest

from tests.artifacts.documents import record
from worker.artifacts.model import Change

Row = tuple[str | None, str | None, str, str | None]


def rows(body: str, heading: str = "## Change Log") -> list[Row]:
    story = record("docs/stories/1.1.story.md", f"# Story 1.1: X\n\n{heading}\n\n{body}")
    return [(c.date, c.version, c.description, c.author) for c in story.change_log]


def test_a_row_has_its_line() -> None:
    table = (
        "| Date | Version | Description | Author |\n|---|---|---|---|\n"
        "| 2025-03-02 | 0.1 | **First** | Iris |\n"
    )
    story = record("docs/stories/1.1.story.md", f"# Story 1.1: X\n\n## Change Log\n\n{table}")
    assert story.change_log == (
        Change(date="2025-03-02", version="0.1", description="First", author="Iris", line=7),
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "| Version | Date | Changes | Author |\n|-|-|-|-|\n| 1.0 | 2025-01-15 | a | - |\n",
            [("2025-01-15", "1.0", "a", None)],
        ),
        (
            "| Date | Change |\n| :-- | --: |\n| 2025-12-29 | made \\| done |\n| | |\n",
            [("2025-12-29", None, "made | done", None)],
        ),
        ("Date | Description\n---|---\n5 May 2025 | a\n", [("5 May 2025", None, "a", None)]),
        (
            "- 2026-02-24: Implemented\n- **2026-02-25 (v1.1)** \u2014 Reviewed\n- prose\n",
            [("2026-02-24", None, "Implemented", None), ("2026-02-25", "1.1", "Reviewed", None)],
        ),
        ("| File | Change Type | Description |\n|-|-|-|\n| a.ts | Modified | b |\n", []),
        ("| Date | Change |\n", []),
        ("nothing yet\n", []),
    ],
)
def test_forms(body: str, expected: list[Row]) -> None:
    assert rows(body) == expected


@pytest.mark.parametrize(
    "heading", ["### Version History", "## Revision history", "## 9. Changelog"]
)
def test_headings(heading: str) -> None:
    assert rows("- 2026-02-24: a\n", heading) == [("2026-02-24", None, "a", None)]


def test_other_tables_are_no_change_log() -> None:
    assert rows("| Date | Change |\n|-|-|\n| 2025-01-01 | a |\n", "## Releases") == []
