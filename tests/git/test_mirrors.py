"""Getting commits: first, incrementally, and after history was rewritten."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.git.conftest import contents
from tests.git.origins import Origin
from tests.git.smart_http import GitServer
from worker.git import CommitNotFound, Mirrors, Refused, branch_ref
from worker.git.errors import RepositoryUnavailable


async def test_a_commit_is_fetched_and_read(origin: Origin, mirrors: Mirrors) -> None:
    commit = origin.commit({"a.md": b"one", "docs/b.md": b"two"})
    snapshot = await mirrors.fetch("p", origin.url, commit, ref="refs/heads/main")
    assert (snapshot.commit, snapshot.tree) == (commit, origin.tree(commit))
    assert await contents(snapshot) == {"a.md": b"one", "docs/b.md": b"two"}


async def test_a_commit_that_is_there_needs_no_network(origin: Origin, mirrors: Mirrors) -> None:
    first = origin.commit({"a": b"1"})
    second = origin.commit({"a": b"2"}, onto=first)
    await mirrors.fetch("p", origin.url, second)
    shutil.rmtree(origin.path)
    assert await contents(await mirrors.fetch("p", origin.url, first)) == {"a": b"1"}


async def test_later_commits_come_into_the_same_repository(
    origin: Origin, mirrors: Mirrors, generation: Callable[[], Path]
) -> None:
    first = origin.commit({"a": b"1", "big": bytes(range(256)) * 400})
    await mirrors.fetch("p", origin.url, first)
    before = generation()
    second = origin.commit({"a": b"2"}, onto=first)
    assert (await contents(await mirrors.fetch("p", origin.url, second)))["a"] == b"2"
    packs = list(generation().glob("objects/pack/*.pack"))
    assert generation() == before
    assert min(pack.stat().st_size for pack in packs) < 1000, "the second fetch was not a small one"
    assert not list(generation().glob("objects/??")), "loose objects do not appear all at once"


async def test_a_force_push_keeps_both_commits(origin: Origin, mirrors: Mirrors) -> None:
    base = origin.commit({"a": b"0"})
    old = origin.commit({"a": b"old"}, onto=base)
    before = await mirrors.fetch("p", origin.url, old, ref="refs/heads/main")
    new = origin.commit({"a": b"new"}, onto=base)
    origin.forget_unreachable()
    after = await mirrors.fetch("p", origin.url, new, ref="refs/heads/main")
    changes = await after.changes(before.tree)
    assert changes is not None
    assert [(change.path, change.sha) for change in changes] == [("a", origin.blob(new, "a"))]
    assert await contents(before) == {"a": b"old"}


async def test_a_commit_lost_to_a_force_push_is_not_found(origin: Origin, mirrors: Mirrors) -> None:
    lost = origin.commit({"a": b"old"})
    origin.commit({"a": b"new"})
    origin.forget_unreachable()
    with pytest.raises(CommitNotFound, match=lost):
        await mirrors.fetch("p", origin.url, lost, ref="refs/heads/main")


async def test_a_commit_that_never_was(origin: Origin, mirrors: Mirrors) -> None:
    origin.commit({"a": b"1"})
    with pytest.raises(CommitNotFound):
        await mirrors.fetch("p", origin.url, "1234" * 10)


async def test_the_id_of_a_tree_is_no_commit(origin: Origin, mirrors: Mirrors) -> None:
    tree = origin.tree(origin.commit({"a": b"1"}))
    with pytest.raises(CommitNotFound):
        await mirrors.fetch("p", origin.url, tree)


async def test_the_commit_of_a_deleted_branch(origin: Origin, mirrors: Mirrors) -> None:
    origin.commit({"a": b"1"})
    gone = origin.commit({"a": b"2"}, branch="gone")
    origin.git("update-ref", "-d", "refs/heads/gone")
    snapshot = await mirrors.fetch("p", origin.url, gone, ref="refs/heads/gone")
    assert await contents(snapshot) == {"a": b"2"}


@pytest.mark.parametrize("branch", ["-x", "--upload-pack=touch pwned".replace(" ", "_"), "a/b/c"])
@pytest.mark.parametrize("newest", [True, False])
async def test_branches_with_odd_names(
    origin: Origin, server: GitServer, mirrors: Mirrors, branch: str, newest: bool
) -> None:
    server.newest_protocol = newest
    below = origin.commit({"a": b"below"}, branch=branch)
    origin.commit({"a": b"tip"}, branch=branch, onto=below)
    snapshot = await mirrors.fetch("p", server.url, below, ref=branch_ref(branch))
    assert await contents(snapshot) == {"a": b"below"}


async def test_a_branch_may_take_the_place_of_a_directory_of_branches(
    origin: Origin, server: GitServer, mirrors: Mirrors, generation: Callable[[], Path]
) -> None:
    server.newest_protocol = False
    repositories = set()
    for branch in ("topic", "topic/one", "topic"):
        below = origin.commit({"a": branch.encode()}, branch=branch)
        origin.commit({"a": b"tip"}, branch=branch, onto=below)
        snapshot = await mirrors.fetch("p", server.url, below)
        assert await contents(snapshot) == {"a": branch.encode()}
        repositories.add(generation())
        origin.git("update-ref", "-d", f"refs/heads/{branch}")
    assert len(repositories) == 1, "nothing was rebuilt"


async def test_an_old_server_is_asked_for_the_ref(
    origin: Origin, server: GitServer, mirrors: Mirrors, generation: Callable[[], Path]
) -> None:
    server.newest_protocol = False
    below = origin.commit({"a": b"below"})
    origin.commit({"a": b"tip"}, onto=below)
    origin.commit({"a": b"elsewhere"}, branch="other")
    await mirrors.fetch("p", server.url, below, ref="refs/heads/main")
    assert not list(generation().glob("refs/heads/*")), "only the ref was needed"


async def test_an_old_server_without_the_ref_is_asked_for_all_heads(
    origin: Origin, server: GitServer, mirrors: Mirrors
) -> None:
    server.newest_protocol = False
    below = origin.commit({"a": b"below"})
    origin.commit({"a": b"tip"}, onto=below, branch="kept")
    snapshot = await mirrors.fetch("p", server.url, below, ref="refs/heads/deleted")
    assert await contents(snapshot) == {"a": b"below"}


async def test_an_empty_tree(origin: Origin, mirrors: Mirrors) -> None:
    full = origin.commit({"a": b"1"})
    empty = origin.commit({"a": None}, onto=full)
    before = await mirrors.fetch("p", origin.url, full)
    after = await mirrors.fetch("p", origin.url, empty)
    assert await after.entries() == []
    assert [(c.path, c.sha, c.mode) for c in await after.changes(before.tree) or []] == [
        ("a", None, None)
    ]
    assert [c.path for c in await before.changes(after.tree) or []] == ["a"]


async def test_sha256_repositories(tmp_path: Path, mirrors: Mirrors) -> None:
    origin = Origin(tmp_path / "wide", object_format="sha256")
    commit = origin.commit({"a": b"1"})
    assert await contents(await mirrors.fetch("p", origin.url, commit)) == {"a": b"1"}


async def test_a_repository_made_anew_with_longer_ids(
    origin: Origin, tmp_path: Path, mirrors: Mirrors
) -> None:
    await mirrors.fetch("p", origin.url, origin.commit({"a": b"1"}))
    wide = Origin(tmp_path / "wide", object_format="sha256")
    snapshot = await mirrors.fetch("p", wide.url, wide.commit({"a": b"2"}))
    assert await contents(snapshot) == {"a": b"2"}


async def test_projects_do_not_share_mirrors(origin: Origin, mirrors: Mirrors) -> None:
    commit = origin.commit({"a": b"1"})
    await mirrors.fetch("p", origin.url, commit)
    shutil.rmtree(origin.path)
    with pytest.raises(RepositoryUnavailable):
        await mirrors.fetch("q", origin.url, commit)


@pytest.mark.parametrize("key", ["../p", "", "a/b"])
async def test_a_key_cannot_leave_the_root(
    origin: Origin, mirrors: Mirrors, root: Path, key: str
) -> None:
    with pytest.raises(Refused):
        await mirrors.fetch(key, origin.url, origin.commit({"a": b"1"}))
    assert not root.exists()
