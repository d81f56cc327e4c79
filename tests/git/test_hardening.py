"""What a fetch must not do, whatever the remote, the surroundings or the caller try."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.git.conftest import contents
from tests.git.origins import Origin
from tests.git.processes import command_lines, git_below, is_alive, writers_below
from tests.git.smart_http import GitServer
from tests.support import eventually
from worker.git import (
    Credential,
    FetchTimedOut,
    GitFailed,
    Mirrors,
    MirrorTooLarge,
    NetworkTrouble,
    Refused,
    RepositoryUnavailable,
)
from worker.git.environment import MAX_SHOWN, git_environment, presentable
from worker.git.process import run

SECRET = "ghs_s3cr3t/+=&"
CREDENTIAL = Credential("x-access-token", SECRET)
NOISE = os.urandom(3_000_000)


@pytest.mark.parametrize("url", ["file://{}", "ext::git upload-pack {}", "{}", "http://h{}"])
async def test_only_https_is_allowed_by_default(origin: Origin, root: Path, url: str) -> None:
    with pytest.raises(Refused):
        await Mirrors(root).fetch("p", url.format(origin.path), origin.commit({"a": b"1"}))
    assert not root.exists()


@pytest.mark.parametrize("url", ["{}", "file://{}", "ext::git upload-pack {}"])
async def test_git_itself_refuses_other_protocols(origin: Origin, tmp_path: Path, url: str) -> None:
    origin.commit({"a": b"1"})
    environment = git_environment(tmp_path, ("https",))
    done = await run("ls-remote", "--", url.format(origin.path), environment=environment)
    assert done.code == 128
    assert b"not allowed" in done.stderr


async def test_no_hook_or_user_configuration_is_run(
    origin: Origin,
    mirrors: Mirrors,
    generation: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = tmp_path / "pwned"
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for directory in (hooks, origin.path / "hooks"):
        directory.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-checkout", "post-merge", "pre-auto-gc"):
            (directory / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
            (directory / name).chmod(0o755)
    config = f"[init]\ntemplateDir={hooks.parent}\n[core]\nhooksPath={hooks}\n"
    (tmp_path / ".gitconfig").write_text(config)
    for name, value in {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig"),
        "GIT_TEMPLATE_DIR": str(hooks.parent),
        "GIT_TRACE": str(mark),
        "GIT_EXEC_PATH": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    # fast-import itself would run the origin's hook: it gets none while it writes.
    (origin.path / "hooks").rename(tmp_path / "aside")
    first = origin.commit({"a": b"1"})
    second = origin.commit({"a": b"2"}, onto=first)
    (tmp_path / "aside").rename(origin.path / "hooks")
    await mirrors.fetch("p", origin.url, first)
    shutil.copytree(hooks, generation() / "hooks")
    assert await contents(await mirrors.fetch("p", origin.url, second)) == {"a": b"2"}
    assert not mark.exists()


async def test_the_credential_is_sent_and_seen_nowhere_else(
    origin: Origin, server: GitServer, mirrors: Mirrors, root: Path
) -> None:
    commit = origin.commit({"a": NOISE})
    server.stall_after = 1_000_000
    fetching = asyncio.create_task(mirrors.fetch("p", server.url, commit, credential=CREDENTIAL))
    await asyncio.wait_for(server.stalled.wait(), 10)
    lines = command_lines(root)
    server.released.set()
    await fetching
    assert any("fetch" in line for line in lines)
    assert set(server.seen) == {f"Basic {CREDENTIAL.basic}"}
    for hidden in (SECRET, CREDENTIAL.basic):
        assert not any(hidden in line for line in lines)
        assert hidden not in repr(CREDENTIAL)
        for path in root.rglob("*"):
            assert not path.is_file() or hidden.encode() not in path.read_bytes()


async def test_the_credential_is_not_sent_to_another_host(
    origin: Origin, server: GitServer, tmp_path: Path
) -> None:
    commit = origin.commit({"a": b"1"})
    environment = git_environment(tmp_path, ("http",), "http://example.org/repo", CREDENTIAL)
    done = await run("ls-remote", "--", server.url, environment=environment)
    assert commit.encode() in done.stdout
    assert server.seen == [None]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (401, RepositoryUnavailable),
        (403, RepositoryUnavailable),
        (404, RepositoryUnavailable),
        (429, NetworkTrouble),
        (500, NetworkTrouble),
        (503, NetworkTrouble),
    ],
)
async def test_refusals_by_the_host(
    server: GitServer, mirrors: Mirrors, status: int, meaning: type[Exception]
) -> None:
    server.status, server.reason = status, f"no: {SECRET} {CREDENTIAL.basic}"
    with pytest.raises(meaning) as failure:
        await mirrors.fetch("p", server.url, "ab" * 20, credential=CREDENTIAL)
    assert SECRET not in str(failure.value)
    assert CREDENTIAL.basic not in str(failure.value)


async def test_a_name_in_the_url_does_not_decide_what_a_failure_means(mirrors: Mirrors) -> None:
    for name in ("corrupt", "access denied".replace(" ", "%20"), "bad-object"):
        with pytest.raises(NetworkTrouble):
            await mirrors.fetch("p", f"http://127.0.0.1:9/{name}", "ab" * 20)


async def test_a_repository_that_does_not_exist(mirrors: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(RepositoryUnavailable):
        await mirrors.fetch("p", f"file://{tmp_path}/absent", "ab" * 20)


def test_what_git_says_is_shown_without_secrets_and_short() -> None:
    said = f"fatal: https://me:{SECRET}@h/ {SECRET}\r\x1b[31m {CREDENTIAL.basic}\n".encode()
    shown = presentable(said + b"\xff" + b"x" * 5000, CREDENTIAL)
    assert SECRET not in shown
    assert CREDENTIAL.basic not in shown
    assert "me:" not in shown
    assert "\x1b" not in shown
    assert len(shown) == MAX_SHOWN


async def test_a_stalled_fetch_is_ended_with_all_its_processes(
    origin: Origin, server: GitServer, root: Path
) -> None:
    mirrors = Mirrors(root, protocols=("http",), fetch_timeout=1.0)
    commit = origin.commit({"a": NOISE})
    server.stall_after = 1_000_000
    fetching = asyncio.create_task(mirrors.fetch("p", server.url, commit))
    await asyncio.wait_for(server.stalled.wait(), 10)
    await eventually(lambda: writers_below(root))
    fetchers = git_below(root)
    with pytest.raises(FetchTimedOut):
        await fetching
    assert len(fetchers) >= 3, "git, its transport, and the one that writes the pack"
    assert not any(is_alive(process) for process in fetchers)
    assert [path.name for path in (root / "p").iterdir()] == ["lock"]


async def test_a_cancelled_fetch_is_ended_and_can_be_repeated(
    origin: Origin, server: GitServer, mirrors: Mirrors, root: Path
) -> None:
    commit = origin.commit({"a": NOISE})
    server.stall_after = 1_000_000
    fetching = asyncio.create_task(mirrors.fetch("p", server.url, commit))
    await asyncio.wait_for(server.stalled.wait(), 10)
    await eventually(lambda: writers_below(root))
    fetchers = git_below(root)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert not any(is_alive(process) for process in fetchers)
    server.released.set()
    snapshot = await mirrors.fetch("p", server.url, commit)
    assert [entry.size for entry in await snapshot.entries()] == [len(NOISE)]


async def test_git_killed_in_mid_fetch(
    origin: Origin, server: GitServer, mirrors: Mirrors, root: Path
) -> None:
    first = origin.commit({"a": b"1"})
    await mirrors.fetch("p", server.url, first)
    second = origin.commit({"a": b"2", "noise": NOISE}, onto=first)
    server.stall_after = 1_000_000
    fetching = asyncio.create_task(mirrors.fetch("p", server.url, second))
    await asyncio.wait_for(server.stalled.wait(), 10)
    for process in await eventually(lambda: writers_below(root)):
        process.kill()
    server.released.set()
    with pytest.raises(GitFailed, match="signal 9"):
        await fetching
    snapshot = await mirrors.fetch("p", server.url, second)
    assert [entry.path for entry in await snapshot.entries()] == ["a", "noise"]


async def test_a_commit_that_is_there_does_not_wait_for_a_fetch(
    origin: Origin, server: GitServer, mirrors: Mirrors
) -> None:
    first = origin.commit({"a": b"1"})
    await mirrors.fetch("p", server.url, first)
    server.stall_after = 1_000_000
    second = origin.commit({"noise": NOISE}, onto=first)
    fetching = asyncio.create_task(mirrors.fetch("p", server.url, second))
    await asyncio.wait_for(server.stalled.wait(), 10)
    assert await contents(await mirrors.fetch("p", server.url, first)) == {"a": b"1"}
    assert not fetching.done()
    server.released.set()
    assert (await fetching).commit == second


async def test_a_fetch_over_the_size_limit_is_stopped_on_the_way(
    origin: Origin, server: GitServer, root: Path
) -> None:
    mirrors = Mirrors(root, protocols=("http",), fetch_timeout=20, max_bytes=500_000)
    server.stall_after = 1_000_000
    with pytest.raises(MirrorTooLarge):
        await mirrors.fetch("p", server.url, origin.commit({"a": NOISE}))
    assert not server.released.is_set()
    assert [path.name for path in (root / "p").iterdir()] == ["lock"]
    await eventually(lambda: git_below(root) == [])


async def test_a_quick_fetch_over_the_size_limit_is_refused_too(origin: Origin, root: Path) -> None:
    mirrors = Mirrors(root, protocols=("file",), max_bytes=100_000)
    with pytest.raises(MirrorTooLarge):
        await mirrors.fetch("p", origin.url, origin.commit({"a": os.urandom(200_000)}))
    assert await contents(await mirrors.fetch("p", origin.url, origin.commit({"b": b"1"}))) == {
        "b": b"1"
    }
    await mirrors.close()


async def test_what_force_pushes_left_does_not_count_for_ever(origin: Origin, root: Path) -> None:
    mirrors = Mirrors(root, protocols=("file",), max_bytes=1_000_000)
    for number in range(5):
        commit = origin.commit({f"{number}": os.urandom(300_000)})
        await mirrors.fetch("p", origin.url, commit)
    size = sum(path.stat().st_size for path in root.rglob("*.pack"))
    assert size < 1_000_000
    await mirrors.close()
