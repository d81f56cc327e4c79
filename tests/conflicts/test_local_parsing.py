"""Many documents are parsed in order, and by several processes where that is worth it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conflicts.places import story_text
from worker.artifacts import parse
from worker.conflicts.local_parsing import LARGE_BYTES, RawDocument, parse_all

COUNT = 150
# In a process of its own, because a test process has threads, and only one without can fork.
SCRIPT = """
import json, os, resource, sys
from tests.conflicts.test_local_parsing import documents
from worker.conflicts import local_parsing
if sys.argv[1:] == ["broken"]:
    local_parsing._help = lambda *_: os._exit(1)
steps = []
found = local_parsing.parse_all(documents(), lambda *step: steps.append(step))
seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
print(json.dumps([steps, seconds, [artifact.model_dump() for artifact in found]]))
"""


def documents(count: int = COUNT) -> list[RawDocument]:
    words = "word " * (LARGE_BYTES // COUNT // 5)
    texts = [story_text(f"{n}.1", more=words).encode() for n in range(1, count + 1)]
    return [RawDocument(f"docs/stories/{n}.1.story.md", f"b{n}", t) for n, t in enumerate(texts)]


def test_documents_come_in_their_order_and_what_is_none_is_left_out() -> None:
    few = [RawDocument("src/main.py", "b", b"pass"), *documents(20)]
    steps: list[tuple[int, int]] = []
    found = parse_all(few, lambda *step: steps.append(step))
    assert [artifact.path for artifact in found] == [document.path for document in few[1:]]
    assert steps == sorted(steps)
    assert steps[-1] == (21, 21)


def test_nothing_and_empty_documents_are_read_too() -> None:
    assert parse_all([], lambda read, total: None) == []
    empty = [RawDocument(f"docs/stories/1.{n}.story.md", "b", b"") for n in range(3)]
    found = parse_all(empty, lambda read, total: None)
    assert found == [a for document in empty if (a := parse(*document))]


def by_several(*arguments: str) -> tuple[list[list[int]], float, list[Any]]:
    """The steps that were told, the processor time of helpers, and the records."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr.decode()
    steps, seconds, found = json.loads(done.stdout)
    return steps, seconds, found


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="has one processor only")
def test_several_processes_find_what_one_finds() -> None:
    steps, seconds, found = by_several()
    assert steps == sorted(steps)
    assert steps[-1] == [COUNT, COUNT]
    assert seconds > 0
    alone = [artifact for document in documents() if (artifact := parse(*document))]
    assert len(alone) == COUNT
    assert found == json.loads(json.dumps([artifact.model_dump() for artifact in alone]))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="has one processor only")
def test_what_a_killed_helper_leaves_is_read_all_the_same() -> None:
    steps, _, found = by_several("broken")
    assert steps[-1] == [COUNT, COUNT]
    assert len(found) == COUNT
