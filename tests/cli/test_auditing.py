"""Every command that changes something is in the audit log."""

import argparse
import io
import os
import pwd
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Switchyard
from tests.jobs.records import added, running
from worker import cli
from worker.cli.auditing import _user
from worker.database.pool import Pool
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Ledger
from worker.jobs.projects import Projects

# What only shows something, and what sets up or runs Switchyard without a record to write to.
READING = {
    "audit", "workers", "jobs list", "jobs show", "jobs why", "dead-letters list",
    "dead-letters show", "queues list", "queues show", "schedules list", "schedules show",
    "gates list", "gates show", "credentials list", "scan", "conflicts",
}  # fmt: skip
RUNNING = {"migrate", "demo", "demo-tenants", "up"}
USER = pwd.getpwuid(os.getuid()).pw_name
CHECKED = ("action", "target_type", "target_id", "org_id")


def leaves(parser: argparse.ArgumentParser, words: str = "") -> Iterator[tuple[str, Any]]:
    """Every command, and what it is audited as."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        yield words.strip(), parser.get_default("audit")
    for group in groups:
        for name, inner in group.choices.items():
            yield from leaves(inner, f"{words} {name}")


async def audited(record: Pool) -> list[dict[str, Any]]:
    """The audit log so far."""
    return [dict(row) for row in await record.fetch("SELECT * FROM audit_events ORDER BY id")]


async def told(record: Pool) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in CHECKED) for row in await audited(record)]


async def dead(record: Pool) -> str:
    ledger = Ledger(record)
    job = await running(ledger)
    await ledger.bury(job, Failure("failed", "ValueError", "no", "Traceback"), ())
    return str(job.id)


def test_every_command_that_changes_something_is_audited() -> None:
    commands = dict(leaves(cli._parser([])))
    changing = {name for name, audit in commands.items() if audit is not None}
    assert set(commands) - changing == READING | RUNNING


async def test_who_did_what_is_recorded(switchyard: Switchyard, record: Pool) -> None:
    ran = await switchyard("queues", "pause", "webhooks", "--reason", "a migration")
    assert ran.code == 0
    [row] = await audited(record)
    assert (row["actor_type"], row["actor_id"]) == ("cli", USER)
    assert (row["action"], row["target_type"], row["target_id"], row["org_id"]) == (
        "queue.paused", "queue", "webhooks", None,
    )  # fmt: skip
    assert row["context"] == {"host": socket.gethostname()}
    assert row["metadata"]["pausedReason"] == "a migration"
    assert (row["recorded_at"] - row["occurred_at"]).total_seconds() < 5


async def test_what_shows_or_fails_is_not_recorded(switchyard: Switchyard, record: Pool) -> None:
    project = await Projects(record).enrol("P", "https://example.org/p.git", "a/b", "free", None)
    assert (await switchyard("queues", "list")).code == 0
    assert (await switchyard("gates", "settings", project.id)).code == 0
    assert (await switchyard("queues", "pause", "nope")).code == 1
    assert (await switchyard("queues", "resize", "webhooks")).code == 2
    assert await audited(record) == []


async def test_jobs_are_known_with_their_organisation(switchyard: Switchyard, record: Pool) -> None:
    await record.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'Acme')")
    project = await Projects(record).enrol("P", "https://example.org/p.git", "a/b", "free", "acme")
    data = f'{{"projectId": "{project.id}"}}'
    job = (await switchyard("jobs", "enqueue", "analysis", data, "--json")).json["jobId"]
    await switchyard("jobs", "cancel", job)
    await switchyard("gates", "settings", project.id, "--network", "yes")
    assert await told(record) == [
        ("job.enqueued", "job", job, "acme"), ("job.cancelled", "job", job, "acme"),
        ("gate_settings.changed", "project", str(project.id), "acme"),
    ]  # fmt: skip


async def test_dead_letters_are_one_or_many(switchyard: Switchyard, record: Pool) -> None:
    first, second, _ = [await dead(record) for _ in range(3)]
    await switchyard("dead-letters", "retry", first)
    await switchyard("dead-letters", "discard", second)
    await switchyard("dead-letters", "discard", "--all")
    assert await told(record) == [
        ("job.retried", "job", first, None), ("job.discarded", "job", second, None),
        ("dead_letters.discarded", "dead_letters", None, None),
    ]  # fmt: skip
    assert (await audited(record))[-1]["metadata"] == {"discarded": 1}


async def test_a_schedule_is_known_by_its_name(switchyard: Switchyard, record: Pool) -> None:
    payload = '{"task": "old_clones"}'
    await switchyard("schedules", "create", "tidy", "cleanup", "@daily", "--payload", payload)
    for action in ("disable", "run", "delete"):
        assert (await switchyard("schedules", action, "tidy")).code == 0
    assert await told(record) == [
        (f"schedule.{what}", "schedule", "tidy", None)
        for what in ("created", "changed", "run", "deleted")
    ]


async def test_a_credential_is_recorded_without_its_secret(
    switchyard: Switchyard, record: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIAL_ENCRYPTION_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2-hunter2"))
    await record.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'Acme')")
    place = ("--organisation", "acme", "--host", "git.example.org", "--kind", "git")
    ran = await switchyard("credentials", "set", *place, "--username", "ann")
    assert ran.code == 0, ran.err
    await switchyard("credentials", "rotate")
    await switchyard("credentials", "remove", *place)
    rows = await audited(record)
    assert [row["action"] for row in rows] == [
        "credential.set", "credentials.rotated", "credential.removed",
    ]  # fmt: skip
    assert rows[0]["target_id"] == rows[2]["target_id"] is not None
    assert [row["org_id"] for row in rows] == ["acme", None, "acme"]
    assert rows[0]["metadata"] == {"kind": "git", "host": "git.example.org"}
    assert "hunter2" not in str(rows)


async def test_what_cannot_be_recorded_is_told(switchyard: Switchyard, record: Pool) -> None:
    job = await added(Ledger(record))
    await record.execute("ALTER TABLE audit_events ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        ran = await switchyard("jobs", "cancel", job.id)
    finally:
        await record.execute("ALTER TABLE audit_events DROP CONSTRAINT never")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "switchyard: It was done (job.cancelled), but the audit log could not be told:"
        " CheckViolationError: new row"
    )
    assert ran.err.count("\n") == 1
    assert await record.fetchval("SELECT state FROM jobs") == "cancelled"


def test_there_is_a_name_for_every_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _user() == USER
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert _user() == "4000000"
