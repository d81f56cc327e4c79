"""The `switchyard` command as a whole: what it needs, and how it ends."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import Switchyard
from worker.cli import main


async def test_migrations_are_applied_once(
    switchyard: Switchyard, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    old = await switchyard("jobs", "list")
    assert (old.code, old.out) == (2, "")
    assert "switchyard migrate" in old.err
    first, second = await switchyard("migrate"), await switchyard("migrate")
    assert first.out.startswith("applied 1")
    assert (second.code, second.out) == (0, "up to date\n")
    assert (await switchyard("jobs", "list")).out == "none\n"


async def test_every_missing_variable_has_its_line(
    switchyard: Switchyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")
    ran = await switchyard("queues", "list")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "switchyard: DATABASE_URL is required", "switchyard: REDIS_URL is required",
    ]  # fmt: skip


async def test_a_lost_postgres_is_told_in_one_line(
    switchyard: Switchyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    ran = await switchyard("jobs", "list")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("switchyard: Postgres cannot be reached")


@pytest.mark.parametrize(
    "arguments", [[], ["nope"], ["jobs"], ["jobs", "nope"], ["jobs", "show"], ["jobs", "list", "x"]]
)
async def test_wrong_usage_ends_with_2(switchyard: Switchyard, arguments: list[str]) -> None:
    ran = await switchyard(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: switchyard")


@pytest.mark.parametrize(
    "query",
    [["--state", "odd"], ["--limit", "0"], ["--project-id", "x"], ["--cursor", "!"],
     ["--created-after", "yesterday"]],
)  # fmt: skip
async def test_an_option_that_makes_no_sense_is_named(
    switchyard: Switchyard, query: list[str]
) -> None:
    ran = await switchyard("jobs", "list", *query)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"switchyard: {query[0][2:]}: ")


def commands() -> list[list[str]]:
    return [["jobs", a] for a in ("list", "show", "cancel", "retry", "enqueue")] + [
        ["dead-letters", "retry"], ["queues", "resize"], ["workers"], ["up"], [],
    ]  # fmt: skip


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['switchyard', *command])}")


def test_a_reader_that_has_seen_enough_is_no_error(
    shared_database_url: str, redis_url: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-m", "worker.cli", "queues", "list"],
        env=os.environ | {"DATABASE_URL": shared_database_url, "REDIS_URL": redis_url},
        stdout=writing, stderr=subprocess.PIPE, timeout=30, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")
