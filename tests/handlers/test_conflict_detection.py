"""Conflicts after a scan: what is new, what persists, what is resolved, and who is told."""

from typing import Any

from tests.handlers.scanning import Scanner, story
from worker.jobs.ids import new_id

OPEN = "- [x] Task 1: Do it (AC: 1)\n- [x] Task 2: Do more (AC: 1)\n- [ ] Task 3: Rest (AC: 1)"
DONE = OPEN.replace("[ ]", "[x]")


async def pushed(scanner: Scanner, files: dict[str, bytes | None], onto: str | None = None) -> str:
    commit = scanner.origin.commit(files, onto=onto)
    await scanner.scan(commit)
    return commit


def counted(outcome: Any) -> tuple[int, int, int]:
    return outcome.data["new"], outcome.data["persisting"], outcome.data["resolved"]


async def test_a_conflict_is_new_then_persists_then_is_resolved(scanner: Scanner) -> None:
    first = await pushed(scanner, {"docs/stories/1.1.story.md": story("1.1", "Done", OPEN)})
    found = await scanner.compare()
    assert counted(found) == (1, 0, 0)
    [(name, told)] = found.events
    assert name == "conflict_detected"
    assert (told["code"], told["severity"], told["commitSha"]) == ("S1", "error", first)
    assert [(side["path"], side["line"]) for side in told["evidence"]]
    # Three lines further down, and a remark elsewhere: the same conflict.
    moved = story("1.1", "Done", OPEN).replace(b"## Status", b"One\n\nremark.\n\n## Status")
    second = await pushed(scanner, {"docs/stories/1.1.story.md": moved}, first)
    found = await scanner.compare()
    assert (counted(found), found.events) == ((0, 1, 0), [])
    mended = story("1.1", "Done", DONE)
    await pushed(scanner, {"docs/stories/1.1.story.md": mended}, second)
    found = await scanner.compare()
    assert (counted(found), found.events) == ((0, 0, 1), [])
    assert await scanner.conflicts() == {}


async def test_what_was_resolved_and_comes_back_is_new(scanner: Scanner) -> None:
    path = "docs/stories/1.1.story.md"
    first = await pushed(scanner, {path: story("1.1", "Done", OPEN)})
    await scanner.compare()
    second = await pushed(scanner, {path: None, "a.txt": b""}, first)
    assert counted(await scanner.compare()) == (0, 0, 1)
    third = await pushed(scanner, {path: story("1.1", "Done", OPEN)}, second)
    assert counted(await scanner.compare()) == (1, 0, 0)
    row = await scanner.pool.fetchrow("SELECT first_seen_commit, resolved_at FROM conflicts")
    assert row is not None
    assert (row["first_seen_commit"], row["resolved_at"]) == (third, None)


async def test_the_second_attempt_of_a_job_tells_the_same(scanner: Scanner) -> None:
    """A crash between the record and the job's end must not swallow the event."""
    await pushed(scanner, {"docs/stories/1.1.story.md": story("1.1", "Done", OPEN)})
    job_id = new_id()
    first = await scanner.compare(job_id=job_id)
    again = await scanner.compare(job_id=job_id)
    assert counted(first) == counted(again) == (1, 0, 0)
    assert again.events == first.events
    assert len(first.events) == 1


async def test_a_comparison_without_a_change_reads_no_document(scanner: Scanner) -> None:
    await pushed(scanner, {"docs/stories/1.1.story.md": story("1.1", "Done", OPEN)})
    await scanner.compare()
    assert counted(await scanner.compare()) == (0, 1, 0)


async def test_by_hand_everything_is_compared_again(scanner: Scanner) -> None:
    await pushed(scanner, {"docs/stories/1.1.story.md": story("1.1", "Done", OPEN)})
    await scanner.compare()
    await scanner.pool.execute("DELETE FROM conflicts")
    assert counted(await scanner.compare()) == (0, 0, 0)
    assert counted(await scanner.compare(artifact_ids=["1.1"])) == (1, 0, 0)
    await scanner.pool.execute("DELETE FROM conflicts")
    assert counted(await scanner.compare(artifact_ids=[])) == (1, 0, 0)


async def test_files_that_come_and_go_touch_the_links_to_them(scanner: Scanner) -> None:
    document = story("1.1") + b"\n[the plan](plan.txt)\n"
    first = await pushed(scanner, {"docs/stories/1.1.story.md": document})
    assert counted(await scanner.compare()) == (1, 0, 0)
    second = await pushed(scanner, {"docs/stories/plan.txt": b"x"}, first)
    assert counted(await scanner.compare()) == (0, 0, 1)
    await pushed(scanner, {"docs/stories/plan.txt": None}, second)
    assert counted(await scanner.compare()) == (1, 0, 0)


async def test_nothing_scanned_is_no_failure(scanner: Scanner) -> None:
    assert counted(await scanner.compare(branch=None)) == (0, 0, 0)


async def test_a_scan_is_followed_by_a_comparison(scanner: Scanner) -> None:
    job_id = new_id()
    commit = scanner.origin.commit({"docs/stories/1.1.story.md": story("1.1")})
    await scanner.scan(commit, job_id=job_id)
    rows = await scanner.pool.fetch("SELECT queue, payload, dedupe_key FROM jobs")
    assert [(row["queue"], row["dedupe_key"]) for row in rows] == [
        ("conflict-detection", f"conflicts:{job_id}:1")
    ]
    assert rows[0]["payload"]["commitSha"] == commit
    assert rows[0]["payload"]["branch"] == "main"


async def test_history_is_kept_by_commit(scanner: Scanner) -> None:
    path = "docs/stories/1.1.story.md"
    first = await pushed(scanner, {path: story("1.1"), "docs/stories/1.2.story.md": story("1.2")})
    second = await pushed(scanner, {path: story("1.1", "Done")}, first)
    third = await pushed(scanner, {path: None}, second)
    rows = await scanner.pool.fetch(
        "SELECT commit_sha, blob_sha FROM artifact_history WHERE path = $1 ORDER BY seq", path
    )
    blobs = [scanner.origin.blob(c, path) for c in (first, second)]
    assert [tuple(row) for row in rows] == [(first, blobs[0]), (second, blobs[1]), (third, None)]
    others = await scanner.pool.fetchval(
        "SELECT count(*) FROM artifact_history WHERE path LIKE '%1.2%'"
    )
    assert others == 1
