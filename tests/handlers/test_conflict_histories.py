"""Over random histories: what is compared after each push adds up to comparing everything."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from tests.handlers.scanning import Scanner, story
from worker.artifacts.model import Artifact
from worker.conflicts.checking import check
from worker.conflicts.ignores import Ignores
from worker.conflicts.world import TreeWorld
from worker.database.pool import Pool

TASKS = "- [x] Task 1: Do it (AC: 1)\n- [x] Task 2: More (AC: 7)\n- [ ] Task 3: Rest"
TRACKER = """development_status:
  epic-1: done
  1-1-something: done
  1-2-other: backlog
"""
DECISION = b"# 1. First\n\n## Status\n\nSuperseded by [2](0002-second.md)\n\n## Context\n\nx\n"
PATHS = [
    "docs/stories/1.1.story.md",
    "docs/stories/1.2.story.md",
    "docs/stories/1.1.copy.story.md",
    "docs/epics/epic-1.md",
    "docs/adr/0001-first.md",
    "docs/adr/0001-again.md",
    "docs/adr/0002-second.md",
    "docs/qa/gates/1.1-something.yml",
    "docs/sprint-artifacts/sprint-status.yaml",
    "src/made.py",
    ".gitignore",
    "docs/plan.txt",
]
FILE_LIST = "\n## File List\n\n- `src/made.py` (NEW)\n- `src/never.py` (NEW)\n"
CONTENTS = [
    story("1.1"),
    story("1.1", "Done", TASKS),
    story("1.2", "Done", "- [x] Task 1: Do it") + FILE_LIST.encode(),
    story("1.3", "Done", "- [x] Task 1: Do it") + FILE_LIST.encode(),
    story("1.1", "Drafft") + b"\nSee [the plan](../plan.txt) and [it](1.2.story.md).\n",
    story("1.1", "Done", TASKS) + b"\n<!-- conflict-ok: S1 meant so -->\n",
    story("1.2") + b"\n## Dependencies\n\n- Story 1.1\n",
    story("1.1", "Done") + b"\n## Dependencies\n\n- Story 1.2\n- Story 9.9\n",
    DECISION,
    b"# 2. Second\n\n## Status\n\nAccepted\n\nSupersedes [1](0001-first.md)\n",
    b"# Epic 1: Things\n\n**Status:** Done\n",
    b"schema: 1\nstory: '1.2'\ngate: FAIL\nupdated: 2026-01-01\n",
    TRACKER.encode(),
    b"anything\n",
    b"never.py\n",
]
CHANGES = st.dictionaries(
    st.sampled_from(PATHS), st.one_of(st.none(), st.sampled_from(CONTENTS)), min_size=1, max_size=5
)
# What is committed, on which earlier commit (a forced push unless it is the newest), and whether
# the branch is compared after it.
PUSHES = st.lists(st.tuples(CHANGES, st.integers(0, 100), st.booleans()), min_size=1, max_size=6)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pushes=PUSHES)
async def test_incremental_equals_full(
    shared_pool: Pool,
    redis: Redis,
    tmp_path: Path,
    pushes: list[tuple[dict[str, bytes | None], int, bool]],
) -> None:
    scanner = await Scanner.enrolled(shared_pool, redis, tmp_path)
    commits: list[str] = []
    for changes, onto, compared in pushes:
        base = commits[-1 - onto % min(2, len(commits))] if commits else None
        present = scanner.paths(base) if base else set()
        files = {p: c for p, c in changes.items() if c is not None or p in present}
        commits.append(scanner.origin.commit(files, onto=base))
        await scanner.scan(commits[-1])
        if compared:
            await scanner.compare()
    await scanner.compare()
    assert await scanner.conflicts() == await _expected(scanner, commits[-1])
    await scanner.resources.close()


async def _expected(scanner: Scanner, commit: str) -> dict[str, object]:
    records = scanner.expected(commit).values()
    ever = scanner.origin.git("log", "--format=", "--name-only", commit).split()
    texts = {
        path: scanner.origin.git("show", f"{commit}:{path}")
        for path in scanner.paths(commit)
        if path.endswith(".gitignore")
    }
    world = TreeWorld(scanner.paths(commit), frozenset(ever), {}, Ignores(texts))
    findings = check([Artifact.model_validate(record) for record in records], world)
    return {f.fingerprint: f.model_dump(mode="json", by_alias=True) for f in findings}
