"""Which push is the newest: told by its time, and within a second by history or arrival."""

from pathlib import Path
from uuid import UUID

import pytest

from tests.handlers.scanning import Scanner, story
from worker.artifacts.store import ArtifactStore, BaseMoved, Scan
from worker.git import CommitNotFound
from worker.jobs.ids import new_id

ONE, TWO = "docs/stories/1.1.one.story.md", "docs/stories/1.2.two.story.md"
OUTDATED = "a newer push was scanned already"


@pytest.fixture
def commits(scanner: Scanner) -> list[str]:
    """Three, each on top of the one before."""
    first = scanner.origin.commit({ONE: story("1.1")})
    second = scanner.origin.commit({TWO: story("1.2")}, onto=first)
    return [first, second, scanner.origin.commit({ONE: None}, onto=second)]


async def test_the_time_of_the_push_counts_and_not_its_arrival(
    scanner: Scanner, commits: list[str]
) -> None:
    await scanner.scan(commits[1], order=20)
    late = await scanner.scan(commits[0], order=10)
    assert late.message == OUTDATED
    assert await scanner.stored() == scanner.expected(commits[1])


async def test_an_earlier_arrival_with_a_later_time_overwrites(
    scanner: Scanner, commits: list[str]
) -> None:
    newer_job = new_id()
    await scanner.scan(commits[0], order=10)
    await scanner.scan(commits[1], job_id=newer_job, order=20)
    assert await scanner.stored() == scanner.expected(commits[1])


async def test_a_force_push_back_is_a_newer_push(scanner: Scanner, commits: list[str]) -> None:
    await scanner.scan(commits[1], order=10)
    await scanner.scan(commits[0], order=11, forced=True)
    assert await scanner.stored() == scanner.expected(commits[0])
    assert (await scanner.scan(commits[1], order=10)).message == OUTDATED


async def test_within_a_second_a_commit_follows_those_it_comes_from(
    scanner: Scanner, commits: list[str]
) -> None:
    jobs = [new_id() for _ in commits]
    for place in (2, 1, 0):
        await scanner.scan(commits[place], job_id=jobs[2 - place], order=10)
    assert await scanner.stored() == scanner.expected(commits[2])


async def test_within_a_second_a_force_push_follows_what_came_before_it(
    scanner: Scanner, commits: list[str]
) -> None:
    elsewhere = scanner.origin.commit({TWO: story("1.2", "Done")})
    for commit in (commits[1], elsewhere, commits[0]):
        await scanner.scan(commit, order=10, forced=commit != commits[1])
        assert await scanner.stored() == scanner.expected(commit)


async def test_a_scan_asked_for_by_hand_runs_and_leaves_the_order_of_pushes(
    scanner: Scanner, commits: list[str]
) -> None:
    await scanner.scan(commits[1], order=20)
    await scanner.scan(commits[0])
    assert await scanner.stored() == scanner.expected(commits[0])
    assert (await scanner.scan(commits[2], order=10)).message == OUTDATED
    await scanner.scan(commits[2], order=21)
    assert await scanner.stored() == scanner.expected(commits[2])


async def test_an_older_push_whose_commit_is_gone_gives_way(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1")})
    second = scanner.origin.commit({TWO: story("1.2")})
    scanner.origin.forget_unreachable()
    with pytest.raises(CommitNotFound):
        await scanner.scan(first, order=10)
    await scanner.scan(second, order=11)
    assert (await scanner.scan(first, order=10)).message == OUTDATED


async def test_an_unseen_scan_of_the_same_second_is_looked_at_first(
    scanner: Scanner, tmp_path: Path
) -> None:
    store, seen, unseen = ArtifactStore(scanner.pool), new_id(), new_id()
    await store.save(_scan(scanner, new_id(), None))
    await store.save(_scan(scanner, unseen, (await _last_job(store, scanner))))
    with pytest.raises(BaseMoved):
        await store.save(_scan(scanner, new_id(), seen))
    assert await _last_job(store, scanner) == unseen


def _scan(scanner: Scanner, job_id: UUID, follows: UUID | None) -> Scan:
    return Scan(
        scanner.project_id, "main", "1" * 40, "2" * 40, 1, job_id, None, (), (), 10, follows
    )


async def _last_job(store: ArtifactStore, scanner: Scanner) -> UUID:
    last = await store.last_scan(scanner.project_id, "main")
    assert last is not None
    return last.job_id
