"""The sample repository that the demo pushes: a few documents as teams write them."""

import os
import subprocess
from pathlib import Path

BRANCH = "main"
STORY = "docs/stories/1.2.card-payment.story.md"

DOCUMENTS = {
    "docs/prd/epic-1-checkout.md": """\
# Epic 1: Checkout

**Status:** In Progress

Customers pay for a basket in one step. Stories: 1.1, 1.2.
""",
    "docs/stories/1.1.basket-total.story.md": """\
# Story 1.1: Basket total

## Status

Done

## Story

**As a** customer,
**I want** to see the total with tax,
**so that** I know what I am going to pay.

## Acceptance Criteria

1. The total includes tax at the rate of the customer's country.
2. An empty basket shows 0.00.

## Tasks / Subtasks

- [x] Task 1: Sum the lines (AC: 1, 2)
- [x] Task 2: Look the tax rate up (AC: 1)
""",
    "docs/stories/1.2.card-payment.story.md": """\
# Story 1.2: Card payment

## Status

InProgress

## Acceptance Criteria

1. A declined card shows the reason.

## Tasks / Subtasks

- [x] Task 1: Call the payment provider (AC: 1)
- [ ] Task 2: Show the reason for a decline (AC: 1)
""",
    "docs/adr/0001-store-money-as-integers.md": """\
# 1. Store money as integers

Date: 2026-03-02

## Status

Accepted

## Context

Floating point loses cents.

## Decision

Amounts are whole cents in every table and message.
""",
    "docs/qa/gates/1.1-basket-total.yml": """\
schema: 1
story: "1.1"
story_title: Basket total
gate: PASS
status_reason: All criteria have tests.
reviewer: Ada
updated: "2026-03-09T10:00:00Z"
top_issues: []
""",
    "shop.py": """\
def total(lines: list[int], tax: int) -> int:
    \"\"\"The sum in whole cents; `tax` is per cent.\"\"\"
    return sum(lines) * (100 + tax) // 100
""",
    "test_shop.py": """\
import unittest

from shop import total


class TestTotal(unittest.TestCase):
    def test_includes_tax(self) -> None:
        self.assertEqual(total([100, 200], 20), 360)

    def test_of_an_empty_basket(self) -> None:
        self.assertEqual(total([], 20), 0)
""",
    ".switchyard.yml": """\
gates:
  unit-tests:
    command: python3 -m unittest --verbose
""",
    "README.md": "# Shop\n\nA sample repository.\n",
}


class SampleRepository:
    """A git repository in a directory of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self._git("init", "--quiet", f"--initial-branch={BRANCH}")
        for name, text in DOCUMENTS.items():
            self._write(name, text)

    def commit(self, message: str) -> str:
        """Commit everything; answers the commit's id."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    def claim_done(self) -> str:
        """Set story 1.2 to Done although a task of it is open; answers the path."""
        self._write(STORY, DOCUMENTS[STORY].replace("InProgress", "Done"))
        return STORY

    def finish(self) -> str:
        """Tick the open task of story 1.2, too; answers the path."""
        done = DOCUMENTS[STORY].replace("InProgress", "Done").replace("- [ ]", "- [x]")
        self._write(STORY, done)
        return STORY

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _git(self, *arguments: str) -> str:
        # Nobody's own git configuration, such as a signing key, may get in the way.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ada@shop.example" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environment, check=True, text=True,
            capture_output=True,
        )  # fmt: skip
        return done.stdout
