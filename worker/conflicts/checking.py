"""Groups documents by their keys, and runs the rules over each group."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from worker.artifacts.model import Artifact
from worker.conflicts.base import Group, Rule, World, name_key, path_key, story_key
from worker.conflicts.fingerprints import distinct
from worker.conflicts.model import Finding
from worker.conflicts.rules import RULES
from worker.conflicts.suppression import UNUSED, Suppressions

RULES_VERSION = 1
"""Raised whenever the keys or the findings of the same documents can change."""

ALL_RULES: tuple[Rule, ...] = (*RULES, UNUSED)


class Keys:
    """The groups of documents, worked out once for each document while this lives."""

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._rules = (*rules, UNUSED)
        self._known: dict[int, tuple[Artifact, list[tuple[str, ...]]]] = {}

    def of(self, artifact: Artifact) -> tuple[str, ...]:
        """Every group that the document takes part in, sorted."""
        return tuple(sorted(set().union(*self.by_rule(artifact))))

    def by_rule(self, artifact: Artifact) -> Sequence[tuple[str, ...]]:
        """For each rule in turn the groups that it gives the document, each once."""
        # By identity, as comparing records takes long; the record is kept so that its id stays its.
        known = self._known.get(id(artifact))
        if known is None:
            keys = [tuple(dict.fromkeys(rule.keys(artifact))) for rule in self._rules]
            known = self._known[id(artifact)] = (artifact, keys)
        return known[1]


def keys_of(artifact: Artifact, rules: Sequence[Rule] = RULES) -> tuple[str, ...]:
    """Every group that the document takes part in, sorted."""
    return Keys(rules).of(artifact)


def affected(
    old_keys: Iterable[str],
    new_keys: Iterable[str],
    changed_paths: Iterable[str],
    stories: Iterable[str],
) -> frozenset[str]:
    """The groups to check again.

    `old_keys` and `new_keys` are those of all changed documents, before and after;
    `changed_paths` the files that came or went; `stories` those with a new verdict.
    """
    around = (key for path in changed_paths for key in _around(path))
    return frozenset([*old_keys, *new_keys, *around, *map(story_key, stories)])


def widened(keys: Collection[str], members: Iterable[Artifact]) -> frozenset[str]:
    """`keys` and all those of their members that allow conflicts.

    Only with all of a document's groups checked can be told which of its comments none needed.
    Call it once with the members of `keys`, and check what it answers.
    """
    allowing = (artifact for artifact in members if artifact.suppressions)
    return frozenset(keys).union(*map(keys_of, allowing))


def check(
    artifacts: Iterable[Artifact],
    world: World,
    keys: Collection[str] | None = None,
    rules: Sequence[Rule] = RULES,
    known: Keys | None = None,
) -> list[Finding]:
    """What is wrong in the groups named by `keys` (None: in all), by path and line.

    `artifacts` must hold all members of those groups, and may hold more. Findings that a document
    allows are among the answers, marked as suppressed. `known`, of these rules, spares work.
    """
    known = known or Keys(rules)
    wanted = None if keys is None else frozenset(keys)
    members = sorted(artifacts, key=lambda artifact: artifact.path)
    suppressions = Suppressions(members)
    found = [
        suppressions.apply(finding)
        for number, rule in enumerate(rules)
        for group in _groups(number, known, members, world, wanted)
        for finding in rule.check(group)
    ]
    for artifact in members:
        if artifact.suppressions and _is_whole(known.of(artifact), wanted):
            found += suppressions.unused(artifact, world, rules)
    return distinct(sorted(found, key=_place))


def _is_whole(keys: Collection[str], wanted: frozenset[str] | None) -> bool:
    """Whether all groups of a document are checked, and it is in any but that of its comments."""
    return len(keys) > 1 and (wanted is None or wanted.issuperset(keys))


def _groups(
    rule: int,
    known: Keys,
    members: Sequence[Artifact],
    world: World,
    wanted: frozenset[str] | None,
) -> Iterator[Group]:
    groups: defaultdict[str, list[Artifact]] = defaultdict(list)
    for artifact in members:
        for key in known.by_rule(artifact)[rule]:
            if wanted is None or key in wanted:
                groups[key].append(artifact)
    return (Group(key, group, world) for key, group in groups.items())


def _place(finding: Finding) -> tuple[str, int, str, str, str, str]:
    first = finding.evidence[0]
    return first.path, first.line, finding.code, finding.key, finding.message, finding.fingerprint


def _around(path: str) -> Iterator[str]:
    yield name_key(path.rpartition("/")[2])
    while path:
        yield path_key(path)
        path = path.rpartition("/")[0]
