"""Reading what is on this disk: work trees, commits, bare repositories and plain folders."""

import os
from pathlib import Path

import pytest

from tests.conflicts.places import Checkout, story_text, write
from tests.git.origins import Origin
from worker.conflicts.local import Local, read_local
from worker.errors import InvalidInput

ONE, TWO = "docs/stories/1.1.story.md", "docs/stories/1.2.story.md"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    files = {ONE: story_text("1.1"), TWO: story_text("1.2"), "src/main.py": "pass\n"}
    return Checkout(tmp_path / "repository", files | {".gitignore": "build/\n"})


def stories(local: Local) -> dict[str, str | None]:
    return {a.path: a.status.normalized if a.status else None for a in local.artifacts}


def test_a_work_tree_is_read_as_it_is_on_the_disk(checkout: Checkout) -> None:
    write(checkout.path, {ONE: story_text("1.1", "Draft"), "docs/stories/1.3.story.md":
                          story_text("1.3"), "build/1.4.story.md": story_text("1.4")})  # fmt: skip
    (checkout.path / TWO).unlink()
    local = read_local(checkout.path)
    assert stories(local) == {ONE: "draft", "docs/stories/1.3.story.md": "done"}
    assert local.commit is None
    assert list(local.paths) == [".gitignore", ONE, "docs/stories/1.3.story.md", "src/main.py"]


def test_a_commit_is_read_whatever_is_on_the_disk(checkout: Checkout) -> None:
    first = checkout.git("rev-parse", "HEAD")
    checkout.commit({ONE: story_text("1.1", "Draft")})
    write(checkout.path, {ONE: story_text("1.1", "Blocked")})
    assert stories(read_local(checkout.path, first)) == {ONE: "done", TWO: "done"}
    assert stories(read_local(checkout.path, "HEAD")) == {ONE: "draft", TWO: "done"}
    assert read_local(checkout.path, "HEAD~1").commit == first


def test_a_document_has_the_blob_that_git_knows(checkout: Checkout) -> None:
    committed, on_disk = read_local(checkout.path, "HEAD"), read_local(checkout.path)
    assert on_disk.artifacts == committed.artifacts
    assert on_disk.artifacts[0].blob_sha == checkout.git("rev-parse", f"HEAD:{ONE}")


def test_a_bare_repository_is_read_at_its_head(tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin")
    commit = origin.commit({ONE: story_text("1.1").encode(), "x": ("120000", ONE.encode())})
    local = read_local(origin.path)
    assert (local.commit, list(local.paths), list(stories(local))) == (commit, [ONE, "x"], [ONE])


def test_a_folder_of_a_repository_is_read_with_all_the_rest(checkout: Checkout) -> None:
    local = read_local(checkout.path / "docs" / "stories")
    assert (local.root, local.focus) == (checkout.path, "docs/stories")
    assert list(stories(local)) == [ONE, TWO]
    asked = [ONE, "docs/stories", "docs/stories-old/x.md", "src/main.py"]
    assert [path for path in asked if local.within(path)] == asked[:2]
    assert read_local(checkout.path).within("src/main.py")


def test_a_folder_without_git_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, {ONE: story_text("1.1"), "node_modules/docs/stories/1.2.story.md": "x"})
    local = read_local(tmp_path)
    assert (local.commit, local.history, list(local.paths)) == (None, None, [ONE])
    assert stories(local) == {ONE: "done"}


def test_links_to_documents_are_no_documents(checkout: Checkout, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"9.9.story.md": story_text("9.9")})
    (checkout.path / "docs/stories/9.9.story.md").symlink_to(outside / "9.9.story.md")
    assert list(stories(read_local(checkout.path))) == [ONE, TWO]
    checkout.commit({})
    assert list(stories(read_local(checkout.path, "HEAD"))) == [ONE, TWO]


def test_history_tells_what_was_there_once(checkout: Checkout) -> None:
    checkout.git("mv", "src/main.py", "src/app.py")
    checkout.commit({})
    local = read_local(checkout.path)
    asked = ("src/main.py", "src/app.py", "src/never.py")
    assert [local.world().ever_existed(path) for path in asked] == [True, True, False]
    older = read_local(checkout.path, "HEAD~1").world()
    assert [older.ever_existed(path) for path in asked] == [True, False, False]


@pytest.mark.parametrize("revision", [None, "HEAD"])
def test_what_git_is_told_to_leave_out_is_known(checkout: Checkout, revision: str | None) -> None:
    checkout.commit({"src/.gitignore": "*.gen.ts\n"})
    world = read_local(checkout.path, revision).world()
    asked = ("src/a.gen.ts", "a.gen.ts", "src/a.ts", "build/a.ts")
    assert [world.ignored(path) for path in asked] == [True, False, False, True]


def test_a_shallow_clone_has_no_history_to_tell(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit({"new.txt": "x"})
    checkout.git("clone", "-q", "--depth=1", f"file://{checkout.path}", str(tmp_path / "shallow"))
    local = read_local(tmp_path / "shallow")
    assert local.world().ever_existed("src/never.py") is None
    assert local.world().ever_existed("src/main.py") is True


def test_a_repository_without_commits_has_an_empty_history(tmp_path: Path) -> None:
    Checkout(tmp_path / "r", {}).git("update-ref", "-d", "HEAD")
    write(tmp_path / "r", {ONE: story_text("1.1")})
    local = read_local(tmp_path / "r")
    assert list(stories(local)) == [ONE]
    assert local.world().ever_existed("gone.md") is False


def test_a_hooks_environment_does_not_lead_astray(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Checkout(tmp_path / "other", {"docs/stories/7.7.story.md": story_text("7.7")})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    assert list(stories(read_local(checkout.path))) == [ONE, TWO]


def test_reading_runs_nothing_that_the_repository_names(checkout: Checkout) -> None:
    trap = checkout.path.parent / "ran"
    program = write(checkout.path.parent, {"trap.sh": f"#!/bin/sh\ntouch {trap}\n"}) / "trap.sh"
    program.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "core.sshCommand"):
        checkout.git("config", key, str(program))
    local = read_local(checkout.path)
    assert local.world().ever_existed("gone.md") is False
    read_local(checkout.path, "HEAD")
    assert not trap.exists()


def test_names_that_are_not_text_are_left_out(checkout: Checkout) -> None:
    odd = os.fsencode(checkout.path) + b"/docs/stories/\xff.story.md"
    Path(os.fsdecode(odd)).write_text(story_text("1.9"))
    write(checkout.path, {"docs/stories/1.3 été.story.md": story_text("1.3")})
    expected = [ONE, TWO, "docs/stories/1.3 été.story.md"]
    assert sorted(stories(read_local(checkout.path))) == sorted(expected)
    checkout.commit({})
    assert sorted(stories(read_local(checkout.path, "HEAD"))) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("nowhere", "No such file or directory"), ("file.txt", "is a file: give the folder")],
)
def test_what_is_no_folder_is_told(tmp_path: Path, name: str, problem: str) -> None:
    write(tmp_path, {"file.txt": "x"})
    with pytest.raises(InvalidInput, match=problem):
        read_local(tmp_path / name)


@pytest.mark.parametrize("revision", ["nope", "--all", "HEAD:docs", "x..y"])
def test_what_is_no_commit_is_told(checkout: Checkout, revision: str) -> None:
    with pytest.raises(InvalidInput, match="has no commit"):
        read_local(checkout.path, revision)


def test_a_folder_without_git_has_no_commits(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not in a git repository"):
        read_local(tmp_path, "HEAD")


def test_a_broken_repository_is_told_in_gits_words(checkout: Checkout) -> None:
    (checkout.path / ".git" / "index").write_bytes(b"rubbish")
    with pytest.raises(InvalidInput, match=r"git cannot read .*index") as no:
        read_local(checkout.path)
    assert "\n" not in no.value.message


def test_a_missing_blob_is_told(checkout: Checkout) -> None:
    blob = checkout.git("rev-parse", f"HEAD:{ONE}")
    (checkout.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(InvalidInput, match=f"incomplete: {blob} missing"):
        read_local(checkout.path, "HEAD")
