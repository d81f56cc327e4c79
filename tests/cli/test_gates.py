"""`switchyard gates`."""

from typing import Any

import pytest

from tests.cli.conftest import Switchyard
from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.jobs.projects import Projects

SHA = "a" * 40


@pytest.fixture
async def project(record: Pool) -> str:
    name = f"acme/{new_id().hex}"
    enrolled = await Projects(record).enrol("P", f"https://github.com/{name}", name, "free", None)
    return str(enrolled.id)


async def evaluated(record: Pool, project: str, state: str, **evaluation: Any) -> str:
    """The id of an evaluation in that state."""
    job_id = new_id()
    verdict = evaluation.get("verdict")
    await record.execute(
        """INSERT INTO gate_evaluations (job_id, project_id, gate_type, story, branch, commit_sha,
               sender, state, verdict, evaluation, finished_at)
           VALUES ($1, $2, 'lint', '1.2', 'main', $3, 'ann', $4, $5, $6,
                   CASE WHEN $5::text IS NULL THEN NULL ELSE now() END)""",
        job_id, project, SHA, state, verdict, evaluation or None,
    )  # fmt: skip
    return str(job_id)


async def test_a_gate_is_run(switchyard: Switchyard, record: Pool, project: str) -> None:
    options = ("--commit-sha", SHA, "--story-id", "1.2", "--json")
    ran = await switchyard("gates", "run", project, "unit-tests", *options)
    assert ran.json["data"] == {
        "projectId": project, "gateType": "unit-tests", "storyId": "1.2", "commitSha": SHA,
        "approvedBy": "command line",
    }  # fmt: skip
    assert str(await record.fetchval("SELECT id FROM jobs")) == ran.json["jobId"]
    shown = await switchyard("gates", "show", project, ran.json["jobId"])
    assert "state       queued" in shown.out


async def test_verdicts_are_listed_and_shown(
    switchyard: Switchyard, record: Pool, project: str
) -> None:
    assert (await switchyard("gates", "list", project)).out == "none\n"
    diagnostic = {"path": "a.py", "line": 3, "severity": "error", "message": "unused", "rule": "F1"}
    job_id = await evaluated(
        record, project, "done", verdict="fail", reason="One complaint.", log="the end\x1b[31m",
        diagnostics=[diagnostic], command="ruff check",
    )  # fmt: skip
    [_, line] = (await switchyard("gates", "list", project)).out.splitlines()
    assert " ".join(line.split()[:6]) == f"{job_id} lint done fail 1.2 {SHA[:12]}"
    assert (await switchyard("gates", "list", project, "--verdict", "pass")).out == "none\n"
    shown = (await switchyard("gates", "show", project, job_id)).out
    assert "a.py:3  error     F1    unused" in shown
    assert "the end" in shown
    assert "\x1b" not in shown


async def test_what_waits_is_approved(switchyard: Switchyard, record: Pool, project: str) -> None:
    job_id = await evaluated(record, project, "awaiting_approval")
    ran = await switchyard("gates", "approve", project, job_id, "--by", "Ann", "--json")
    assert ran.json["data"]["approvedBy"] == "Ann"
    assert (await switchyard("gates", "show", project, job_id, "--json")).json[
        "state"
    ] == "approved"
    done = await evaluated(record, project, "done", verdict="pass")
    refused = await switchyard("gates", "approve", project, done)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "waits for no approval" in refused.err


async def test_only_what_is_given_is_changed(switchyard: Switchyard, project: str) -> None:
    shown = (await switchyard("gates", "settings", project, "--json")).json
    assert (shown["onPush"], shown["updatedAt"]) == ([], None)
    options = ("--on-push", "lint, unit-tests", "--trusted-senders", "*", "--seconds", "60")
    await switchyard("gates", "settings", project, *options)
    ran = await switchyard(
        "gates", "settings", project, "--network", "yes", "--seconds", "none", "--json"
    )
    assert ran.json | {"updatedAt": None} == {
        "onPush": ["lint", "unit-tests"], "trustedSenders": ["*"], "network": True,
        "prepare": False, "seconds": None, "memoryMb": None, "updatedAt": None,
    }  # fmt: skip
    ran = await switchyard("gates", "settings", project, "--on-push", "none", "--json")
    assert ran.json["onPush"] == []


async def test_what_is_wrong_is_said_in_one_line(switchyard: Switchyard, project: str) -> None:
    for arguments, code, told in (
        (("run", project, "lint"), 1, "name a commit"),
        (("run", project, "lint", "--commit-sha", "HEAD"), 2, "commit-sha: "),
        (("run", "x", "lint"), 2, "project: must be a UUID"),
        (("show", project, "x"), 2, "id: must be a UUID"),
        (("show", project, new_id()), 1, "no gate evaluation"),
        (("settings", project, "--on-push", "deploy"), 2, "on-push"),
        (("settings", project, "--seconds", "3000"), 2, "QUEUE_GATE_EVALUATION_TIMEOUT"),
        (("settings", new_id()), 1, "no project"),
    ):
        ran = await switchyard("gates", *arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran.err
        assert told in ran.err
