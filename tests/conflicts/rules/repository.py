"""A repository of a few documents, and what the rules find in it."""

import hashlib
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from worker.artifacts import parse
from worker.artifacts.model import Artifact
from worker.conflicts.base import (
    Group,
    OwnVerdict,
    Rule,
    World,
    name_key,
    path_key,
    story_key,
)
from worker.conflicts.checking import check
from worker.conflicts.ignores import Ignores
from worker.conflicts.model import Finding
from worker.conflicts.rules import RULES
from worker.conflicts.world import TreeWorld


def artifacts(files: Mapping[str, str]) -> list[Artifact]:
    """The records of all `files` (path to text, indented as one likes) that are artifacts."""
    read = [(path, textwrap.dedent(text).lstrip("\n").encode()) for path, text in files.items()]
    parsed = [parse(path, hashlib.sha1(data).hexdigest(), data) for path, data in read]
    return [artifact for artifact in parsed if artifact]


def findings(
    files: Mapping[str, str],
    *codes: str,
    others: Collection[str] = (),
    history: Collection[str] | None = None,
    verdicts: Mapping[str, Sequence[OwnVerdict]] | None = None,
    ignores: str | None = "",
) -> list[Finding]:
    """What is found with one of `codes`; `others` are further paths of the tree,
    `ignores` its `.gitignore`.

    Rules are held to what their keys allow: an AssertionError tells of one that asks for more.
    """
    world = TreeWorld(
        [*files, *others], history, verdicts or {},
        None if ignores is None else Ignores({".gitignore": ignores}),
    )  # fmt: skip
    return [f for f in check(artifacts(files), world, rules=STRICT) if f.code in codes]


@dataclass(frozen=True)
class _Strict:
    """A world that answers only what makes its group be checked again when it changes."""

    key: str
    world: World

    def exists(self, path: str) -> bool:
        self._allowed(path_key(path), name_key(path.rpartition("/")[2]))
        return self.world.exists(path)

    def named(self, basename: str) -> Sequence[str]:
        self._allowed(name_key(basename))
        return self.world.named(basename)

    def ever_existed(self, path: str) -> bool | None:
        self._allowed(path_key(path), name_key(path.rpartition("/")[2]))
        return self.world.ever_existed(path)

    def ignored(self, path: str) -> bool | None:
        return self.world.ignored(path)

    def verdicts(self, story: str) -> Sequence[OwnVerdict]:
        self._allowed(story_key(story))
        return self.world.verdicts(story)

    def _allowed(self, *keys: str) -> None:
        assert self.key in keys, f"asked about {keys} in the group {self.key}"


def _strict(rule: Rule) -> Rule:
    def check(group: Group) -> list[Finding]:
        world = _Strict(group.key, group.world)
        return list(rule.check(Group(group.key, group.members, world)))

    return replace(rule, check=check)


STRICT = [_strict(rule) for rule in RULES]


def brief(found: Sequence[Finding]) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """Code, severity, and where each side is."""
    return [(f.code, f.severity, [(e.path, e.line) for e in f.evidence]) for f in found]


def story(number: str, status: str = "Done", *, body: str = "") -> str:
    """A story in the usual form; `body` is put below its criteria."""
    return "\n".join(
        [
            f"# Story {number}: Mint a token", "", f"Status: {status}", "",
            "## Story", "", "As a reader I want a token.", "",
            "## Acceptance Criteria", "", "1. It is minted.", "2. It expires.", "",
            textwrap.dedent(body).strip("\n"), "",
        ]
    )  # fmt: skip
