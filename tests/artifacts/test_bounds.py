"""Hostile documents: linear time, bounded records."""

import time
from collections.abc import Callable

import pytest

from tests.artifacts.documents import record
from worker.artifacts import Artifact, parse, text
from worker.artifacts.text import MAX_BYTES, MAX_ITEMS

STORY = "docs/stories/1.1.story.md"
DECISION = "docs/adr/0001-x.md"
GATE = "docs/qa/gates/1.1.yml"
SECTIONS = (
    "",
    "## Tasks\n",
    "## Acceptance Criteria\n",
    "## Status\n",
    "## Dependencies\n",
    "## File List\n",
    "## Change Log\n",
)
SPRINT = "docs/sprint-status.yaml"
TRACKER = "development_status:\n  "
UNITS = [
    "- `src/a.ts` (NEW)\n",
    "- `src/a.ts`, ",
    "├── a.ts # NEW\n",
    "│   ",
    "- 2025-01-01: ",
    "### Story 1.1: a\nStatus: b\n",
    "<!-- conflict-ok: S1 ",
    "conflict-ok: S1, ",
    "a-1: done\n  ",
    "# [a](b) <c> _d_\n",
    "**",
    "**a:** ",
    "*a",
    "__a",
    "`",
    "```\n",
    "```a\n",
    "~~~\n> ```\n",
    "<!--",
    "<!-- -->",
    "<!--\n",
    "-->\n",
    "[",
    "[a](",
    "](",
    "](a",
    "[a](b) ",
    "[Source: ",
    "[a]:",
    "(AC: 1, 2-99)",
    "AC 1-999 ",
    "AC",
    "1, ",
    "Story 1.1-1.9999 ",
    "Stories 1, ",
    "story 1 to ",
    "ADR 1, supersedes ",
    "superseded by 1 ",
    "- ",
    "- [ ] ",
    "- [ ] a\n ",
    "- a\n",
    "1. a\n",
    " - [ ] a (AC: 1-999)\n",
    "> ",
    "> a: b\n",
    "|",
    "| a | b |\n",
    "|-|-|\n",
    "#",
    "# a\n",
    "## Status\n",
    "## Status: a\n",
    "## Tasks\n",
    "# AC 1\n",
    "a:\n",
    "a: b\n",
    "Status: a\n",
    "**Status:** a | ",
    "Depends on: Story 1.1-1.99\n",
    "Acceptance Criteria:\n",
    "Given a\n",
    "a\n---\n",
    "---\n",
    "---\na: b\n",
    "\n",
    " ",
    "\t",
    "\0",
    "a",
    "é",
    "â€",
    "\\",
    "_",
    "a_",
    ": ",
    "[[{",
    "- a: [",
    "? ",
    "&a *a ",
    "'",
]


@pytest.mark.parametrize("unit", UNITS)
def test_a_repeated_unit_takes_linear_time(unit: str) -> None:
    others = ((DECISION, ("", "## Status\n")), (GATE, ("", "gate: ")), (SPRINT, (TRACKER,)))
    for path, heads in ((STORY, SECTIONS), *others):
        for head in heads:
            assert_linear(path, unit, before=head)


def test_a_repeated_unit_in_front_matter_takes_linear_time() -> None:
    for unit in ("[", "{a: ", "- ", "&a [*a,", "? ", "a: [\n"):
        assert_linear(STORY, unit, before="---\n", after="\n---\n# Story 1.1: X\n")


def assert_linear(path: str, unit: str, *, before: str, after: str = "") -> None:
    """Four times the text may take ten times as long, on whatever machine: not sixteen."""
    small, large = (
        f"{before}{unit * (size // len(unit))}{after}".encode() for size in (6_000, 24_000)
    )
    assert any(is_linear(path, small, large) for _ in range(4))


def is_linear(path: str, small: bytes, large: bytes) -> bool:
    return seconds_once(path, large) < 10 * max(seconds_once(path, small), 0.004)


HOSTILE: dict[str, Callable[[int], str]] = {
    "nested lists": lambda size: "".join(
        f"{'  ' * (n % 500)}- [ ] a\n" for n in range(size // 500)
    ),
    "a long line": lambda size: "a b " * (size // 4) + "\n",
    "links": lambda size: "[a](b) [c](" * (size // 11) + "\n",
    "backticks": lambda size: "`a ``b\n" * (size // 14) + "`" * (size // 2) + "\n",
    "brackets": lambda size: "[[[]](\n" * (size // 14) + "[" * (size // 2) + "\n",
    "pipes": lambda size: "| a | b |\n|---|---|\n" * (size // 40) + "|" * (size // 2) + "\n",
    "comments": lambda size: "<!-- a --> <!--\n--> <!-- b\n-->\n" * (size // 30),
    "headings": lambda size: "# a\n## Story 1.1: b\nStatus: c\n" * (size // 31),
    "an unclosed fence": lambda size: "```\n# a\n~~~\n" * (size // 12) + "```\n",
}


def hostile(size: int) -> bytes:
    """All the shapes in one document of about `size` bytes, each under a heading that is read."""
    parts = (
        f"{head}{shape(size // len(HOSTILE))}"
        for head, shape in zip((*SECTIONS[1:], *SECTIONS[1:4]), HOSTILE.values(), strict=True)
    )
    return "".join(parts).encode()


def test_ten_megabytes_take_linear_time_even_without_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in ("MAX_BYTES", "MAX_LINES", "MAX_LINE"):
        monkeypatch.setattr(text, limit, 1 << 30)
    small, large = hostile(2_500_000), hostile(10_000_000)
    assert len(large) > 9_000_000
    once = min(seconds_once(STORY, small) for _ in range(2))
    four_times = seconds_once(STORY, large)
    assert four_times < 8 * once
    assert four_times < 20


def test_ten_megabytes_are_refused_at_once() -> None:
    assert seconds_once(STORY, hostile(10_000_000)) < 0.5


@pytest.mark.parametrize("shape", HOSTILE)
def test_the_largest_document_that_is_read_takes_bounded_time(shape: str) -> None:
    data = HOSTILE[shape](MAX_BYTES).encode()[:MAX_BYTES]
    assert seconds_once(STORY, b"## Tasks\n" + data[:-9]) < 5


def seconds_once(path: str, data: bytes) -> float:
    started = time.process_time()
    parse(path, "b", data)
    return time.process_time() - started


def test_counts_are_capped() -> None:
    body = "# Story 1.1: X\n\n## Acceptance Criteria\n\n"
    body += "1. [x](y.md)\n" * 5_000 + "\n## Tasks\n\n" + "- [ ] a\n" * 5_000 + "# h\n" * 5_000
    story = record(STORY, body)
    for found in (story.acceptance_criteria, story.tasks, story.links, story.sections):
        assert len(found) == MAX_ITEMS


def test_the_record_is_bounded() -> None:
    units = ("- [ ] [a](b) AC 1-999\n", "# AC 1 x\n", "Depends on: Story 1.1-1.99\n", "\0\n")
    for unit in units:
        data = ("## Tasks\n" + unit * (MAX_BYTES // len(unit))).encode()[:MAX_BYTES]
        found = parse(STORY, "b", data)
        assert isinstance(found, Artifact)
        assert len(found.model_dump_json()) < 4 * MAX_BYTES
