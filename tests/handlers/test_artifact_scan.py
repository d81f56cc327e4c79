"""The artifact scan: what it reads, what it keeps, and in which order pushes count."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from tests.handlers.scanning import Scanner, story
from worker.artifacts import PARSER_VERSION
from worker.artifacts.store import ArtifactStore, BaseMoved, Scan
from worker.errors import PermanentError, TransientError
from worker.git import CommitNotFound
from worker.handlers import artifact_scan as module
from worker.jobs.ids import new_id

ONE, TWO = "docs/stories/1.1.one.story.md", "docs/stories/1.2.two.story.md"


async def test_a_first_scan_reads_every_document(scanner: Scanner) -> None:
    commit = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2"), "src/a.py": b"x = 1\n"})
    outcome = await scanner.scan(commit)
    assert outcome.data["artifactsScanned"] == 2
    assert outcome.data["pathsRead"] == [ONE, TWO]
    assert await scanner.stored() == scanner.expected(commit) != {}


async def test_a_scan_says_how_far_it_has_come(scanner: Scanner) -> None:
    commit = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2")})
    await scanner.scan(commit)
    assert scanner.reports == [
        (5, "fetching the commit"), (55, "read 1 of 2 documents"), (90, "read 2 of 2 documents"),
        (90, "saving"),
    ]  # fmt: skip


async def test_a_later_scan_reads_only_what_changed(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2")})
    await scanner.scan(first)
    second = scanner.origin.commit({TWO: story("1.2", "Done")}, onto=first)
    outcome = await scanner.scan(second)
    assert outcome.data["pathsRead"] == [TWO]
    assert outcome.data["artifactsScanned"] == 2
    assert await scanner.stored() == scanner.expected(second)


async def test_a_document_that_comes_back_is_not_read_again(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1")})
    second = scanner.origin.commit({ONE: story("1.1", "Done")}, onto=first)
    for commit in (first, second):
        await scanner.scan(commit)
    assert (await scanner.scan(first)).data["documentsRead"] == 0
    assert await scanner.stored() == scanner.expected(first)


async def test_the_same_job_twice_changes_nothing(scanner: Scanner) -> None:
    commit, job_id = scanner.origin.commit({ONE: story("1.1")}), new_id()
    await scanner.scan(commit, job_id=job_id)
    again = await scanner.scan(commit, job_id=job_id)
    assert again.data["artifactsScanned"] == 1
    assert await scanner.stored() == scanner.expected(commit)


async def test_branches_are_kept_apart(scanner: Scanner) -> None:
    main = scanner.origin.commit({ONE: story("1.1")})
    side = scanner.origin.commit({TWO: story("1.2")}, branch="feature/-x", onto=main)
    await scanner.scan(main)
    outcome = await scanner.scan(side, "feature/-x")
    assert outcome.data["documentsRead"] == 1, "what main has read is not read for the branch"
    assert set(await scanner.stored()) == {ONE}
    assert set(await scanner.stored("feature/-x")) == {ONE, TWO}


async def test_removed_renamed_and_linked_documents_leave(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2")})
    await scanner.scan(first)
    moved = "docs/stories/1.1.new.story.md"
    second = scanner.origin.commit(
        {ONE: None, moved: story("1.1"), TWO: ("120000", b"elsewhere")}, onto=first
    )
    await scanner.scan(second)
    assert set(await scanner.stored()) == {moved}


async def test_an_older_push_never_overwrites_a_newer_ones_result(scanner: Scanner) -> None:
    older_job, newer_job = new_id(), new_id()
    first = scanner.origin.commit({ONE: story("1.1")})
    second = scanner.origin.commit({ONE: story("1.1", "Done")}, onto=first)
    await scanner.scan(second, job_id=newer_job)
    outcome = await scanner.scan(first, job_id=older_job)
    assert outcome.message == "a newer push was scanned already"
    assert await scanner.stored() == scanner.expected(second)


async def test_scans_of_one_branch_at_the_same_time_end_as_the_newest(scanner: Scanner) -> None:
    commits = [scanner.origin.commit({ONE: story("1.1")})]
    for number in range(2, 8):
        path = f"docs/stories/1.{number}.x.story.md"
        commits.append(scanner.origin.commit({path: story(f"1.{number}")}, onto=commits[-1]))
    job_ids = [new_id() for _ in commits]
    results = await asyncio.gather(
        *(scanner.scan(c, job_id=j) for c, j in zip(commits, job_ids, strict=True)),
        return_exceptions=True,
    )
    unexpected = [r for r in results if isinstance(r, Exception)
                  and not isinstance(r, TransientError)]  # fmt: skip
    assert not unexpected
    await scanner.scan(commits[-1], job_id=job_ids[-1])
    assert await scanner.stored() == scanner.expected(commits[-1])


async def test_a_base_that_keeps_moving_is_a_failed_attempt(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def moved(_: ArtifactStore, __: Scan) -> int:
        raise BaseMoved

    monkeypatch.setattr(ArtifactStore, "save", moved)
    commit = scanner.origin.commit({ONE: story("1.1")})
    with pytest.raises(TransientError, match="branch main kept changing"):
        await scanner.scan(commit)


async def test_a_scan_on_a_base_that_moved_starts_from_the_new_one(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scanner.origin.commit({ONE: story("1.1")})
    second = scanner.origin.commit({TWO: story("1.2")}, onto=first)
    third = scanner.origin.commit({ONE: story("1.1", "Done")}, onto=second)
    await scanner.scan(first)
    second_job, third_job = new_id(), new_id()
    save, interleaved = ArtifactStore.save, False

    async def save_after_another(store: ArtifactStore, scan: Scan) -> int:
        nonlocal interleaved
        if not interleaved:
            interleaved = True
            await scanner.scan(second, job_id=second_job)
        return await save(store, scan)

    monkeypatch.setattr(ArtifactStore, "save", save_after_another)
    await scanner.scan(third, job_id=third_job)
    assert interleaved
    assert await scanner.stored() == scanner.expected(third)


async def test_a_base_whose_tree_is_gone_means_a_full_listing(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2")})
    await scanner.scan(first)
    await scanner.pool.execute("UPDATE scans SET tree_sha = $1", "1" * 40)
    second = scanner.origin.commit({TWO: None}, onto=first)
    outcome = await scanner.scan(second)
    assert outcome.data["documentsRead"] == 0
    assert await scanner.stored() == scanner.expected(second)


async def test_a_newer_parser_reads_everything_again(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2")})
    await scanner.scan(commit)
    monkeypatch.setattr(module, "PARSER_VERSION", PARSER_VERSION + 1)
    outcome = await scanner.scan(commit)
    assert outcome.data["documentsRead"] == 2


async def test_documents_over_the_limit_are_passed_over(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_DOCUMENT", 100)
    commit = scanner.origin.commit({ONE: story("1.1") * 10})
    outcome = await scanner.scan(commit)
    assert outcome.data["artifactsScanned"] == 0


async def test_many_documents_are_kept_in_batches(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_AT_ONCE", 3)
    files = {f"docs/stories/2.{n}.x.story.md": story(f"2.{n}") for n in range(1, 11)}
    commit = scanner.origin.commit(dict(files))
    await scanner.scan(commit)
    assert await scanner.stored() == scanner.expected(commit)
    assert len(await scanner.stored()) == 10


async def test_a_commit_that_is_not_there_is_a_failed_attempt(scanner: Scanner) -> None:
    scanner.origin.commit({ONE: story("1.1")})
    with pytest.raises(CommitNotFound):
        await scanner.scan("1" * 40)


async def test_a_context_without_a_project_says_so(scanner: Scanner) -> None:
    context = await scanner.context(UUID(int=1))
    orphan = replace(context, job=replace(context.job, project=None))
    with pytest.raises(PermanentError, match="needs a project"):
        _ = orphan.project
