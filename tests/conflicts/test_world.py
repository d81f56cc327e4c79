"""What the tree, its history and the verdicts answer."""

import pytest

from worker.conflicts.base import OwnVerdict
from worker.conflicts.world import TreeWorld

PATHS = ["README.md", "docs/guide.md", "docs/adr/0001-a.md", "src/Guide.md"]


def world(history: frozenset[str] | None = None) -> TreeWorld:
    return TreeWorld(PATHS, history, {})


def test_files_and_folders_exist() -> None:
    there = ["README.md", "docs", "docs/adr", "docs/adr/0001-a.md", "src", ""]
    gone = ["readme.md", "doc", "docs/", "docs/adr/0001", "adr", "docs/guide.md/x"]
    assert [path for path in there + gone if world().exists(path)] == there


def test_files_are_found_by_name_whatever_its_case() -> None:
    assert world().named("GUIDE.md") == ["docs/guide.md", "src/Guide.md"]
    assert list(world().named("docs")) == []


def test_history_knows_what_was_there() -> None:
    assert world().ever_existed("old.md") is None
    assert world().ever_existed("README.md") is True
    assert world(frozenset(["old.md"])).ever_existed("old.md") is True
    assert world(frozenset(["old.md"])).ever_existed("new.md") is False


@pytest.mark.parametrize(
    "path",
    ["docs/a.png", "app/data.SQLITE3", "node_modules/x/index.js", "packages/a/dist/x.ts", ".env",
     ".env.local", "apps/web/.env.production", "coverage/lcov.info", "logs/today.txt", "x.pyc"],
)  # fmt: skip
def test_what_is_seldom_committed_is_known_by_habit(path: str) -> None:
    assert world().ignored(path)


@pytest.mark.parametrize(
    "path", ["src/a.ts", ".env.example", "docs/distribution.md", "dist.md", "src/environment.ts",
             "package-lock.json", "src/database.py", "apps/web/.env.sample"],
)  # fmt: skip
def test_sources_are_not(path: str) -> None:
    assert not world().ignored(path)


def test_verdicts_are_those_of_the_story() -> None:
    verdict = OwnVerdict("lint", "fail", "c0ffee", "2026-01-02T03:04:05Z")
    asked = TreeWorld((), None, {"1.2": [verdict]})
    assert (list(asked.verdicts("1.2")), list(asked.verdicts("1.3"))) == ([verdict], [])
