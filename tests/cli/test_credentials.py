"""`switchyard credentials`."""

import asyncio
import io
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.cli.conftest import Switchyard
from worker.cipher import key_id
from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.jobs.projects import Projects

KEY, NEXT = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "tok-123456"


class Piped(io.StringIO):
    """Standard input that is no terminal."""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIAL_ENCRYPTION_KEY", KEY)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a text on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", Piped(text))


@pytest.fixture
async def project(record: Pool) -> str:
    name = f"acme/{new_id().hex}"
    enrolled = await Projects(record).enrol("P", f"https://github.com/{name}", name, "free", "acme")
    return str(enrolled.id)


async def test_a_credential_is_set_listed_and_removed(
    switchyard: Switchyard, project: str, typed: Callable[[str], None]
) -> None:
    typed(f"{SECRET}\n")
    ran = await switchyard("credentials", "set", "--project", project, "--kind", "github-token")
    assert ran.code == 0, ran.err
    typed("pass-word")
    ran = await switchyard(
        "credentials", "set", "--organisation", "acme", "--kind", "git", "--username", "ann",
        "--host", "git.example", "--json",
    )  # fmt: skip
    assert ran.json["host"] == "git.example"
    listed = await switchyard("credentials", "list")
    assert f"{project}  github-token  github.com" in listed.out
    assert "acme" in listed.out
    assert SECRET not in listed.out
    ran = await switchyard("credentials", "remove", "--project", project, "--kind", "github-token")
    assert ran.out == f"the github-token credential of {project} for github.com is deleted\n"
    left = (await switchyard("credentials", "list", "--json")).json
    assert [c["orgId"] for c in left["items"]] == ["acme"]


async def test_the_secret_is_no_option(switchyard: Switchyard, project: str) -> None:
    for option in ("--secret", "--token", "--password"):
        ran = await switchyard(
            "credentials", "set", "--project", project, "--kind", "git", option, SECRET
        )
        assert ran.code == 2
    for command in ("set", "remove", "list", "rotate"):
        told = (await switchyard("credentials", command, "--help")).out
        assert "--secret" not in told


async def test_a_terminal_is_asked_without_echo(
    shared_database_url: str, redis_url: str, project: str
) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker.cli", "credentials", "set", "--project", project,
        "--kind", "github-token",
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        cwd=Path(__file__).parents[2],
        env={"DATABASE_URL": shared_database_url, "REDIS_URL": redis_url, "PATH": os.defpath,
             "CREDENTIAL_ENCRYPTION_KEY": KEY},
    )  # fmt: skip
    os.close(theirs)
    loop = asyncio.get_running_loop()
    shown = b""
    async with asyncio.timeout(20):
        while b"Secret: " not in shown:
            shown += await loop.run_in_executor(None, os.read, ours, 1000)
        os.write(ours, f"{SECRET}\n".encode())
        code = await process.wait()
    shown += os.read(ours, 10_000)
    os.close(ours)
    assert code == 0, shown
    assert b"github-token" in shown
    assert SECRET.encode() not in shown


async def test_rotation_and_what_it_cannot_open(
    switchyard: Switchyard, project: str, typed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    typed(SECRET)
    await switchyard("credentials", "set", "--project", project, "--kind", "github-token")
    monkeypatch.setenv("CREDENTIAL_ENCRYPTION_KEY", NEXT)
    ran = await switchyard("credentials", "rotate")
    assert ran.code == 1
    assert "cannot be opened" in ran.out
    monkeypatch.setenv("CREDENTIAL_ENCRYPTION_KEY", f"{NEXT}, {KEY}")
    ran = await switchyard("credentials", "rotate")
    assert (ran.code, ran.out) == (0, f"sealed anew with key {key_id(NEXT)}: 1\n")


async def test_what_is_wrong_is_said_in_one_line(
    switchyard: Switchyard, project: str, typed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for arguments, told in (
        (("--kind", "git"), "give a project or an organisation"),
        (("--kind", "git", "--project", "x"), "project: "),
        (("--kind", "git", "--project", project), "username: is needed"),
        (("--kind", "github-token", "--project", project, "--host", "https://x"), "host: "),
        (("--kind", "github-app", "--project", project, "--app-id", "1"), "PEM"),
    ):
        typed(SECRET)
        ran = await switchyard("credentials", "set", *arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
        assert told in ran.err
        assert SECRET not in ran.err
    typed(SECRET)
    monkeypatch.delenv("CREDENTIAL_ENCRYPTION_KEY")
    ran = await switchyard("credentials", "set", "--kind", "github-token", "--project", project)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "CREDENTIAL_ENCRYPTION_KEY is required" in ran.err
    monkeypatch.setenv("CREDENTIAL_ENCRYPTION_KEY", "not-a-key")
    ran = await switchyard("credentials", "list")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "not-a-key" not in ran.err
