"""After any history, checking what a commit touched finds what checking everything finds."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conflicts.histories import Commit, histories
from tests.conflicts.places import story_text
from worker.artifacts import Artifact, parse
from worker.conflicts.base import OwnVerdict
from worker.conflicts.checking import affected, check, keys_of, widened
from worker.conflicts.model import Finding
from worker.conflicts.world import TreeWorld

Affected = Callable[
    [Iterable[str], Iterable[str], Iterable[str], Iterable[str]], Collection[str]
]  # fmt: skip
Widened = Callable[[Collection[str], Iterable[Artifact]], Collection[str]]


class Follower:
    """Keeps the findings of a branch by checking only what each commit affects."""

    def __init__(self, affected: Affected = affected, widened: Widened = widened) -> None:
        self._affected, self._widened = affected, widened
        self._commit = Commit({}, frozenset())
        self._artifacts: dict[str, Artifact] = {}
        self._findings: list[Finding] = []

    def follow(self, commit: Commit) -> list[Finding]:
        """The findings at the commit."""
        before, self._artifacts = self._artifacts, artifacts_of(commit)
        keys = self._widened(self._keys(before, commit), self._members(self._keys(before, commit)))
        found = check(self._members(keys), world_of(commit), keys)
        self._findings = [f for f in self._findings if f.key not in keys] + found
        self._commit = commit
        return self._findings

    def _keys(self, before: dict[str, Artifact], commit: Commit) -> Collection[str]:
        old, new = self._commit, commit
        changed = [p for p in old.tree.keys() | new.tree if old.tree.get(p) != new.tree.get(p)]
        told = [
            story for story in old.verdicts.keys() | new.verdicts
            if old.verdicts.get(story) != new.verdicts.get(story)
        ]  # fmt: skip
        return self._affected(
            (key for p in changed if p in before for key in keys_of(before[p])),
            (key for p in changed if p in self._artifacts for key in keys_of(self._artifacts[p])),
            old.tree.keys() ^ new.tree.keys(),
            told,
        )

    def _members(self, keys: Collection[str]) -> Sequence[Artifact]:
        return [a for a in self._artifacts.values() if not set(keys_of(a)).isdisjoint(keys)]


def artifacts_of(commit: Commit) -> dict[str, Artifact]:
    found = {
        path: parse(path, hashlib.sha1(text.encode()).hexdigest(), text.encode())
        for path, text in commit.tree.items()
    }
    return {path: artifact for path, artifact in found.items() if artifact}


def world_of(commit: Commit) -> TreeWorld:
    return TreeWorld(commit.tree.keys(), commit.history, commit.verdicts)


def full(commit: Commit) -> list[Finding]:
    return check(artifacts_of(commit).values(), world_of(commit))


def by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    listed = list(findings)
    answer = {finding.fingerprint: finding for finding in listed}
    assert len(answer) == len(listed)
    return answer


def strays(follower: Follower, history: Sequence[Commit]) -> bool:
    return any(
        by_fingerprint(follower.follow(commit)) != by_fingerprint(full(commit))
        for commit in history
    )


@given(histories())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_incremental_checking_equals_full_checking(history: list[Commit]) -> None:
    follower = Follower()
    for commit in history:
        assert by_fingerprint(follower.follow(commit)) == by_fingerprint(full(commit))


@given(histories())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_findings_are_known_again_when_their_lines_have_moved(history: list[Commit]) -> None:
    before = history[-1]
    moved = {path: _lower(text) for path, text in before.tree.items()}
    after = full(Commit(moved, before.history, before.verdicts))
    assert by_fingerprint(after).keys() == by_fingerprint(full(before)).keys()


def _lower(text: str) -> str:
    """The document with empty lines above it; front matter has to stay where it is."""
    return text if text.startswith("---") else f"\n\n\n{text}"


STORY, TRACKER = "docs/stories/1.1.thing.story.md", "docs/sprint-status.yaml"
DONE = {STORY: story_text("1.1", done=True)}
ALLOWED = {STORY: story_text("1.1", done=True, more="<!-- conflict-ok: Y1 agreed -->\n")}
LINKED = {STORY: story_text("1.1", done=True, more="\n[The plan](../plan.md)\n")}
IN_REVIEW, IN_STEP = (
    {TRACKER: f"development_status:\n  1-1-thing: {state}\n"} for state in ("review", "done")
)
FAILED = {"1.1": (OwnVerdict("lint", "fail", "c0ffee", "2026-01-01T00:00:00Z"),)}
# What could be forgotten, who forgets it, and a history in which that shows.
FORGETFUL: dict[str, tuple[Follower, list[Commit]]] = {
    "the groups that a document left": (
        Follower(lambda old, new, p, s: affected((), new, p, s)),
        [Commit(DONE | IN_REVIEW, frozenset()), Commit(DONE, frozenset())],
    ),
    "the groups that it joined": (
        Follower(lambda old, new, p, s: affected(old, (), p, s)),
        [Commit(DONE, frozenset()), Commit(DONE | IN_REVIEW, frozenset())],
    ),
    "files that came or went": (
        Follower(lambda old, new, p, s: affected(old, new, (), s)),
        [Commit(LINKED, frozenset()), Commit(LINKED | {"docs/plan.md": "x"}, frozenset())],
    ),
    "new verdicts": (
        Follower(lambda old, new, p, s: affected(old, new, p, ())),
        [Commit(DONE, frozenset()), Commit(DONE, frozenset(), FAILED)],
    ),
    "comments that allow": (
        Follower(widened=lambda keys, members: keys),
        [Commit(ALLOWED | IN_REVIEW, frozenset()), Commit(ALLOWED | IN_STEP, frozenset())],
    ),
}


@pytest.mark.parametrize("forgotten", FORGETFUL)
def test_forgetting_any_of_it_would_be_noticed(forgotten: str) -> None:
    forgetful, history = FORGETFUL[forgotten]
    assert not strays(Follower(), history)
    assert strays(forgetful, history)
