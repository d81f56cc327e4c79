"""Whatever the history of pushes: an incremental scan leaves what a full one would find."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from tests.handlers.scanning import Scanner, story
from worker.database.pool import Pool

PATHS = [
    "docs/stories/1.1.one.story.md",
    "docs/stories/1.2.two.story.md",
    "docs/adr/0001-first.md",
    "docs/qa/gates/1.1-one.yml",
    "docs/prd/epic-1-things.md",
    "README.md",
]
CONTENTS = [
    story("1.1"),
    story("1.2", "Done", "- [x] Task 1: Do it"),
    b"# 1. First\n\n## Status\n\nAccepted\n",
    b"schema: 1\nstory: '1.1'\ngate: PASS\n",
    b"# Epic 1: Things\n\n**Status:** Draft\n",
    b"not a document of any kind\n",
]
CHANGES = st.dictionaries(
    st.sampled_from(PATHS), st.one_of(st.none(), st.sampled_from(CONTENTS)), min_size=1, max_size=4
)
# What is committed, on which earlier commit (a force push unless it is the newest), and whether
# that push is scanned or missed.
PUSHES = st.lists(st.tuples(CHANGES, st.integers(0, 100), st.booleans()), min_size=1, max_size=6)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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
    for changes, onto, scanned in pushes:
        base = commits[onto % len(commits)] if commits else None
        present = scanner.paths(base) if base else set()
        files = {p: c for p, c in changes.items() if c is not None or p in present}
        commits.append(scanner.origin.commit(files, onto=base))
        if scanned:
            await scanner.scan(commits[-1])
            assert await scanner.stored() == scanner.expected(commits[-1])
    await scanner.scan(commits[-1])
    assert await scanner.stored() == scanner.expected(commits[-1])
    await scanner.mirrors.close()
