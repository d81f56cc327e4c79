"""Every rule; one module a topic."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from worker.artifacts.model import Artifact
from worker.conflicts.base import Rule
from worker.conflicts.rules import (
    anchors,
    criteria,
    dates,
    dependencies,
    epics,
    files,
    gates,
    ids,
    links,
    numbers,
    sprint_status,
    supersession,
    tasks,
    vocabulary,
)
from worker.conflicts.rules.places import folder_of

# Documents that tests read contradict each other on purpose.
_FOR_TESTS = frozenset(
    ("test", "tests", "__tests__", "integration-tests", "testdata", "test-data", "test_data",
     "fixtures", "__fixtures__")
)  # fmt: skip


@lru_cache(maxsize=4096)
def _is_for_tests(folder: str) -> bool:
    return not _FOR_TESTS.isdisjoint(folder.lower().split("/"))


def _for_people(rule: Rule) -> Rule:
    """The rule for documents that people work by, and for no others."""

    def keys(artifact: Artifact) -> Iterable[str]:
        return () if _is_for_tests(folder_of(artifact.path)) else rule.keys(artifact)

    return replace(rule, keys=keys)


_RULES: tuple[Rule, ...] = (
    *tasks.RULES,
    *sprint_status.RULES,
    *epics.RULES,
    *gates.RULES,
    *ids.RULES,
    *numbers.RULES,
    *criteria.RULES,
    *supersession.RULES,
    *dependencies.RULES,
    *dates.RULES,
    *vocabulary.RULES,
    *links.RULES,
    *anchors.RULES,
    *files.RULES,
)
RULES: tuple[Rule, ...] = tuple(map(_for_people, _RULES))
