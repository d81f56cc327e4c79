"""Four times the documents take four times as long: no rule looks at all of them for each."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.conflicts.records import story
from worker.artifacts.model import Artifact
from worker.conflicts.checking import check
from worker.conflicts.world import TreeWorld

PER_EPIC = 10
FEW, MANY = 1_250, 5_000
# A rule that grows with the square would take sixteen times as long.
MOST_TIMES = 8.0
WORLD = TreeWorld([f"src/{n}.py" for n in range(MANY)], frozenset(), {})


def documents(count: int) -> list[Artifact]:
    """Stories that follow each other, their epics, and one tracker of all of them."""
    stories = [f"{n // PER_EPIC + 1}.{n % PER_EPIC + 1}" for n in range(count)]
    epics = range(1, count // PER_EPIC + 1)
    return [
        *(_story(number, n) for n, number in enumerate(stories)),
        *(_epic(number) for number in epics),
        _tracker(stories, epics),
    ]


def _story(number: str, n: int) -> Artifact:
    epic, _, place = number.partition(".")
    earlier = [{"kind": "story", "target": f"{epic}.{int(place) - 1}", "line": 20, "quote": "-"}]
    tasks = [_task(line, line != 13 or n % 9 > 0) for line in range(10, 14)]
    return story(
        f"docs/stories/{number}.thing.story.md", id=number, story=number, epic=epic,
        identity={"in_file": number, "in_document": number, "line": 1}, tasks=tasks,
        acceptance_criteria=[{"n": "1", "text": "It works.", "line": 8}],
        dependencies=earlier if int(place) > 1 else [],
        files=[{"path": f"src/{n}.py", "op": "created", "line": 30}],
        links=[_link(f"../epics/epic-{epic}.md"), _link(f"gone-{n % 7}.md")],
    )  # fmt: skip


def _task(line: int, done: bool) -> dict[str, Any]:
    return {"n": None, "text": f"Do {line}", "done": done, "acs": ["1"], "line": line, "level": 0}


def _link(target: str) -> dict[str, Any]:
    return {"target": target, "anchor": "top", "line": 40}


def _epic(number: int) -> Artifact:
    return story(
        f"docs/epics/epic-{number}.md", "in-progress", id=f"epic-{number}", kind="epic",
        epic=str(number), story=None,
    )  # fmt: skip


def _tracker(stories: Sequence[str], epics: Sequence[int]) -> Artifact:
    return story(
        "docs/sprint-status.yaml", id="sprint-status", kind="sprint-status", story=None,
        entries=list(_entries(stories, epics)),
    )  # fmt: skip


def _entries(stories: Sequence[str], epics: Sequence[int]) -> Iterator[dict[str, Any]]:
    status = {"raw": "done", "normalized": "done", "line": 5}
    for n, epic in enumerate(epics):
        yield {"key": f"epic-{epic}", "kind": "epic", "target": str(epic), "status": status,
               "line": 5}  # fmt: skip
        for number in stories[n * PER_EPIC : (n + 1) * PER_EPIC]:
            key = f"{number.replace('.', '-')}-thing"
            yield {"key": key, "kind": "story", "target": number, "status": status, "line": 6}


def seconds(artifacts: Sequence[Artifact]) -> float:
    """Processor time of a check."""
    started = time.process_time()
    found = check(artifacts, WORLD)
    assert len(found) > len(artifacts) / 10
    return time.process_time() - started


def test_the_time_grows_with_the_number_of_documents() -> None:
    few, many = documents(FEW), documents(MANY)
    once = min(seconds(few), seconds(few))
    assert seconds(many) < MOST_TIMES * once
