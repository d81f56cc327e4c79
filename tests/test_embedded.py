"""The embedded servers: real ones, that leave nothing behind however their owner ends."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.asyncio

from tests.support import eventually
from worker.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError, EmbeddedServers
from worker.embedded import postgres as embedded_postgres
from worker.embedded import redis as embedded_redis
from worker.embedded.postgres import find_postgres
from worker.embedded.redis import find_redis

OWNER = """
import sys, time
from worker.embedded import EmbeddedServers
servers = EmbeddedServers()
servers.postgres.start(), servers.redis.start()
for server in (servers.postgres, servers.redis):
    print(server.pid, server.guard_pid, server.directory, flush=True)
if sys.argv[1] == "stay":
    time.sleep(60)
"""

AS_NOBODY = """
import os, pwd, sys
from pathlib import Path
from worker.embedded import EmbeddedServers, postgres, redis
postgres.find_postgres = lambda: Path(sys.argv[1])
redis.find_redis = lambda: sys.argv[2]
nobody = pwd.getpwnam("nobody")
os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
with EmbeddedServers() as servers:
    print(servers.postgres.directory.owner(), servers.redis.directory.owner())
"""


@pytest.fixture
def postgres() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


async def select(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie waiting to be collected by whatever adopted it does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_postgres_keeps_its_data_and_address_over_a_crash(postgres: EmbeddedPostgres) -> None:
    url, directory = postgres.url, postgres.directory
    await execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
    idle = await asyncpg.connect(url)

    postgres.kill()
    assert postgres.pid is None
    await eventually(idle.is_closed)
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await select(url, "SELECT 1")
    postgres.start()

    assert postgres.url == url
    assert await select(url, "SELECT number FROM kept") == 7
    postgres.restart()
    assert await select(url, "SELECT number FROM kept") == 7
    postgres.close()
    assert not directory.exists()


async def test_redis_comes_back_empty_at_the_same_address(redis_server: EmbeddedRedis) -> None:
    url = redis_server.url
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.set("key", "value")
    redis_server.kill()
    async with redis.asyncio.Redis.from_url(url) as client:
        with pytest.raises(redis.exceptions.ConnectionError):
            await client.ping()
    redis_server.start()
    assert redis_server.url == url
    async with redis.asyncio.Redis.from_url(url) as client:
        assert await client.dbsize() == 0


async def test_both_listen_on_a_given_port_of_the_loopback_interface() -> None:
    with EmbeddedPostgres(free_port()) as server:
        assert f"127.0.0.1:{server.port}" in server.url
        assert await select(server.url, "SELECT host(inet_server_addr())") == "127.0.0.1"
        assert await select(server.url, "SHOW listen_addresses") == "127.0.0.1"
    with EmbeddedRedis(free_port()) as second:
        assert second.url == f"redis://127.0.0.1:{second.port}/0"
        async with redis.asyncio.Redis.from_url(second.url) as client:
            assert await client.ping()
            assert await client.config_get("bind") == {"bind": "127.0.0.1"}


async def test_both_serve_whatever_the_environment_of_the_caller_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGDATABASE": "other"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with EmbeddedServers() as servers:
        url = servers.database_url
        assert await select(url, "SELECT current_database()::text") == "postgres"
        assert await select(url, "SHOW timezone") == "UTC"
        async with redis.asyncio.Redis.from_url(servers.redis_url) as client:
            assert await client.ping()
    assert not servers.postgres.directory.exists()
    assert not servers.redis.directory.exists()


async def test_an_owner_killed_outright_leaves_no_process_and_no_directory() -> None:
    with start_owner("stay") as owner:
        left = read_owned(owner)
        assert all(map(is_alive, left.pids))
        owner.kill()
    await eventually(left.nothing, timeout=20)


async def test_an_owner_that_forgets_to_close_leaves_nothing_either() -> None:
    with start_owner("go") as owner:
        left = read_owned(owner)
    await eventually(left.nothing, timeout=20)


class Owned:
    """What the servers of another process consist of."""

    def __init__(self, lines: list[list[str]]) -> None:
        self.pids = [int(pid) for line in lines for pid in line[:2]]
        self.directories = [Path(line[2]) for line in lines]

    def nothing(self) -> bool:
        return not any(map(is_alive, self.pids)) and not any(d.exists() for d in self.directories)


def start_owner(what: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OWNER, what], stdout=subprocess.PIPE, text=True)


def read_owned(owner: subprocess.Popen[str]) -> Owned:
    assert owner.stdout
    return Owned([owner.stdout.readline().split() for _ in range(2)])


def test_closing_ends_server_and_guard_and_may_be_repeated() -> None:
    with EmbeddedRedis() as server:
        pids, directory = [server.pid, server.guard_pid], server.directory
    server.close()
    assert not any(is_alive(pid) for pid in pids if pid)
    assert not directory.exists()


async def test_a_server_outlives_the_thread_that_started_it(redis_server: EmbeddedRedis) -> None:
    redis_server.stop()
    starter = threading.Thread(target=redis_server.start)
    starter.start()
    starter.join()
    with pytest.raises(AssertionError, match="still False"):
        await eventually(lambda: not is_alive(redis_server.pid or 0), timeout=0.3)


def test_starting_twice_is_refused(redis_server: EmbeddedRedis) -> None:
    with pytest.raises(EmbeddedServerError, match="already running"):
        redis_server.start()


def test_a_server_that_cannot_start_shows_its_log_and_leaves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = EmbeddedRedis(taken.getsockname()[1])
        with pytest.raises(EmbeddedServerError, match=r"(?i)address already in use"), server:
            pass
    assert not server.directory.exists()


def test_nothing_to_embed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(embedded_redis, "installed", lambda name: None)
    monkeypatch.setattr(embedded_postgres, "installed", lambda name: None)
    with pytest.raises(EmbeddedServerError, match="install redis-server or valkey-server"):
        find_redis()
    with pytest.raises(EmbeddedServerError, match="DATABASE_URL"):
        find_postgres()


async def test_postgres_runs_from_below_a_private_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = copy_package(tmp_path / "private")
    (tmp_path / "private").chmod(0o700)
    monkeypatch.setattr(embedded_postgres, "find_postgres", lambda: package)
    with EmbeddedPostgres() as server:
        assert await select(server.url, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_both_run_for_an_ordinary_user() -> None:
    with EmbeddedRedis() as scratch:
        package = copy_package(scratch.directory)
        program = shutil.copy(find_redis(), scratch.directory)
        scratch.directory.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(package), str(program)],
            capture_output=True,
            text=True,
        )
    assert done.stdout.split() == ["nobody", "nobody"], done.stderr


def copy_package(parent: Path) -> Path:
    """The Postgres programs, elsewhere."""
    package = find_postgres()
    for part in ("bin", "lib", "share"):
        shutil.copytree(
            package / "pginstall18" / part, parent / package.name / "pginstall18" / part
        )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, parent / libraries.name)
    return parent / package.name


def test_another_server_at_the_port_is_not_taken_for_its_own() -> None:
    with EmbeddedRedis(free_port()) as first:
        second = EmbeddedRedis(first.port)
        with pytest.raises(EmbeddedServerError, match=r"(?i)address already in use"), second:
            pass
