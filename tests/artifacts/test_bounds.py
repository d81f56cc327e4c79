"""Hostile documents: linear time, bounded records."""

import time

import pytest

from tests.artifacts.documents import record
from worker.artifacts import Artifact, parse
from worker.artifacts.text import MAX_BYTES, MAX_ITEMS

STORY = "docs/stories/1.1.story.md"
DECISION = "docs/adr/0001-x.md"
GATE = "docs/qa/gates/1.1.yml"
SECTIONS = ("", "## Tasks\n", "## Acceptance Criteria\n", "## Status\n", "## Dependencies\n")
UNITS = [
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
    for path, heads in ((STORY, SECTIONS), (DECISION, ("", "## Status\n")), (GATE, ("", "gate: "))):
        for head in heads:
            assert_linear(path, unit, before=head)


def test_a_repeated_unit_in_front_matter_takes_linear_time() -> None:
    for unit in ("[", "{a: ", "- ", "&a [*a,", "? ", "a: [\n"):
        assert_linear(STORY, unit, before="---\n", after="\n---\n# Story 1.1: X\n")


def assert_linear(path: str, unit: str, *, before: str, after: str = "") -> None:
    """Four times the text may take ten times as long, on whatever machine: not sixteen."""
    small, large = (
        seconds_to_parse(path, f"{before}{unit * (size // len(unit))}{after}".encode())
        for size in (6_000, 24_000)
    )
    assert large < 10 * max(small, 0.004)


def seconds_to_parse(path: str, data: bytes) -> float:
    """The better of two runs, in time of this process."""
    times = []
    for _ in range(2):
        started = time.process_time()
        parse(path, "b", data)
        times.append(time.process_time() - started)
    return min(times)


def test_counts_are_capped() -> None:
    text = "# Story 1.1: X\n\n## Acceptance Criteria\n\n"
    text += "1. [x](y.md)\n" * 5_000 + "\n## Tasks\n\n" + "- [ ] a\n" * 5_000 + "# h\n" * 5_000
    story = record(STORY, text)
    for found in (story.acceptance_criteria, story.tasks, story.links, story.sections):
        assert len(found) == MAX_ITEMS


def test_the_record_is_bounded() -> None:
    units = ("- [ ] [a](b) AC 1-999\n", "# AC 1 x\n", "Depends on: Story 1.1-1.99\n", "\0\n")
    for unit in units:
        data = ("## Tasks\n" + unit * (MAX_BYTES // len(unit))).encode()[:MAX_BYTES]
        found = parse(STORY, "b", data)
        assert isinstance(found, Artifact)
        assert len(found.model_dump_json()) < 4 * MAX_BYTES
