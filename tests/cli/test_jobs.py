"""`switchyard jobs` and `switchyard dead-letters`."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.cli.conftest import Switchyard
from tests.jobs.records import added, placed, row, running, state_of
from worker.database.pool import Pool
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.reading import JobReader
from worker.jobs.ring import queue_keys
from worker.jobs.states import State
from worker.jobs.views import wire

PROJECT = "01890a5d-ac96-774b-bcce-b302099a8057"


async def dead(ledger: Ledger, error: str = "no") -> Any:
    """The id of a job that died of this."""
    job = await running(ledger)
    await ledger.bury(job, Failure("failed", "ValueError", error, "Trace\x1b[31m\nback"), ())
    return job.id


async def test_a_job_is_added_and_rung(
    switchyard: Switchyard, record: Pool, redis_url: str
) -> None:
    data = json.dumps({"projectId": PROJECT})
    ran = await switchyard(
        "jobs", "enqueue", "indexing", data, "--kind", "index", "--priority", 7,
        "--dedupe-key", "once", "--json",
    )  # fmt: skip
    job = await row(record, ran.json["jobId"])
    assert set(ran.json) == {"jobId", "queue", "data"}
    assert (job["kind"], job["priority"], job["state"]) == ("index", 7, "queued")
    assert job["concurrency_key"] == f"project:{PROJECT}"
    async with Redis.from_url(redis_url) as redis:
        assert await redis.hexists(queue_keys("indexing").jobs, str(job["id"]))
    again = await switchyard("jobs", "enqueue", "indexing", data, "--kind=index",
                             "--dedupe-key=once", "--json")  # fmt: skip
    assert again.json == ran.json | {"duplicate": True}


async def test_a_payload_comes_from_a_file_or_from_standard_input(
    switchyard: Switchyard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps({"task": "old_clones"})
    (tmp_path / "payload.json").write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    for given in (f"@{tmp_path}/payload.json", "-"):
        ran = await switchyard("jobs", "enqueue", "cleanup", given, "--json")
        assert ran.json["data"]["task"] == "old_clones"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nope", "{}"], "queue: must be one of artifact-scan"),
        (["analysis", "{"], "data: is not JSON"),
        (["analysis", "[]"], "data: Input should be a valid dictionary"),
        (["analysis", "@/nowhere"], "data: /nowhere cannot be read: No such file"),
        (["analysis", "{}"], "projectId: Field required"),
        (["analysis", "{}", "--delay", "soon"], "delay: Input should be a valid number"),
        (["analysis", "{}", "--delay", "-1"], "delay: Input should be greater than or equal"),
        (["cleanup", '{"task":"old_clones"}', "--delay=1", "--run-at=2030-01-01T00:00:00Z"],
         "runAt: cannot be given together with delay"),
        (["analysis", "{}", "--priority", "1000"], "priority: Input should be less than"),
    ],
)  # fmt: skip
async def test_what_cannot_be_added_is_told_in_one_line(
    switchyard: Switchyard, record: Pool, arguments: list[str], told: str
) -> None:
    ran = await switchyard("jobs", "enqueue", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("switchyard: ")
    assert told in ran.err
    assert await record.fetchval("SELECT count(*) FROM jobs") == 0


async def test_nothing_is_added_by_hand_in_production(
    switchyard: Switchyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("API_TOKEN", "a-token-for-production")
    ran = await switchyard("jobs", "enqueue", "cleanup", '{"task":"old_clones"}')
    assert (ran.code, ran.err) == (
        1, "switchyard: Jobs cannot be added by hand in production.\n"
    )  # fmt: skip


async def test_a_job_is_recorded_when_redis_is_away(
    switchyard: Switchyard, record: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    ran = await switchyard("jobs", "enqueue", "cleanup", '{"task":"old_clones"}', "--json")
    assert await state_of(record, ran.json["jobId"]) is State.QUEUED
    assert ran.err.startswith("switchyard: Redis is away")


async def test_jobs_are_listed_as_a_table_and_as_the_api_answers(
    switchyard: Switchyard, record: Pool
) -> None:
    ledger = Ledger(record)
    jobs = [await added(ledger) for _ in range(3)]
    ran = await switchyard("jobs", "list", "--limit", 2, "--queue", "artifact-scan")
    head, first, second, more = ran.out.splitlines()
    assert head.split() == ["id", "queue", "kind", "state", "attempt", "due", "progress", "error"]
    assert first.split()[:5] == [str(jobs[2].id), "artifact-scan", "artifact_scan", "queued", "0/3"]
    assert second.startswith(str(jobs[1].id))
    last = await switchyard("jobs", "list", *more.removeprefix("more: ").split(), "--json")
    shown = json.loads(wire(await JobReader(record).get(jobs[0].id)))
    assert last.json == {"items": [{k: v for k, v in shown.items() if k != "attempts"}],
                         "next": None}  # fmt: skip
    none = await switchyard("jobs", "list", "--state", "dead")
    assert (none.code, none.out) == (0, "none\n")


async def test_a_job_is_shown_with_its_attempts_and_nothing_a_terminal_obeys(
    switchyard: Switchyard, record: Pool
) -> None:
    job = await dead(Ledger(record), "line one\nline two")
    ran = await switchyard("jobs", "show", job)
    fields = dict(line.split(maxsplit=1) for line in ran.out.splitlines()[:5])
    assert (fields["id"], fields["state"]) == (str(job), "dead")
    assert "failed" in ran.out
    assert "ValueError" in ran.out
    assert "\x1b" not in ran.out
    assert (await switchyard("jobs", "show", job, "--json")).json["attempts"][0]["attempt"] == 1


async def test_a_waiting_job_is_cancelled_and_a_running_one_asked_to_end(
    switchyard: Switchyard, record: Pool
) -> None:
    ledger = Ledger(record)
    waiting, busy = await added(ledger), await running(ledger)
    ran = await switchyard("jobs", "cancel", waiting.id, "--reason", "changed my mind")
    assert (ran.code, ran.out) == (0, f"job {waiting.id} is cancelled\n")
    assert (await row(record, waiting.id))["cancel_reason"] == "changed my mind"
    ran = await switchyard("jobs", "cancel", busy.id, "--json")
    assert (ran.json["cancelRequested"], ran.json["state"]) == (True, "running")
    ended = await switchyard("jobs", "cancel", waiting.id)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"switchyard: job {waiting.id} is cancelled already")


@pytest.mark.parametrize("command", ["jobs retry", "dead-letters retry"])
async def test_a_dead_job_is_retried_by_its_id(
    switchyard: Switchyard, record: Pool, command: str
) -> None:
    job = await dead(Ledger(record))
    assert (await switchyard(*command.split(), job, "--json")).json["state"] == "queued"
    again = await switchyard(*command.split(), job)
    assert (again.code, again.err) == (1, f"switchyard: job {job} is queued, and not dead\n")


async def test_dead_letters_are_listed_and_shown(switchyard: Switchyard, record: Pool) -> None:
    ledger = Ledger(record)
    job = await dead(ledger, "out of\npaper")
    other = await placed(record, State.COMPLETED)
    ran = await switchyard("dead-letters", "list", "--error", "PAPER")
    assert ran.out.splitlines()[1].split()[0] == str(job)
    assert "ValueError" in ran.out
    assert ran.out.splitlines()[1].endswith("out of paper")
    listed = (await switchyard("dead-letters", "list", "--json")).json["items"]
    assert [d["lastAttempt"]["errorType"] for d in listed] == ["ValueError"]
    assert (await switchyard("dead-letters", "show", job, "--json")).json["state"] == "dead"
    absent = await switchyard("dead-letters", "show", other.id)
    assert (absent.code, absent.err) == (
        1, f"switchyard: job {other.id} is completed, and not dead\n"
    )  # fmt: skip


async def test_many_dead_letters_are_retried_at_a_rate(
    switchyard: Switchyard, record: Pool, redis_url: str
) -> None:
    ledger = Ledger(record)
    jobs = [await dead(ledger) for _ in range(3)]
    ran = await switchyard("dead-letters", "retry", "--queue", "artifact-scan",
                           "--rate-per-second", 0.5, "--json")  # fmt: skip
    due = [(await row(record, job))["run_at"] for job in jobs]
    assert ran.json["retried"] == 3
    assert (due[2] - due[0]).total_seconds() == 4
    async with Redis.from_url(redis_url) as redis:
        assert await redis.hlen(queue_keys("artifact-scan").jobs) == 3


async def test_dead_letters_are_discarded_one_or_all(switchyard: Switchyard, record: Pool) -> None:
    ledger = Ledger(record)
    first, *_ = [await dead(ledger) for _ in range(3)]
    assert (await switchyard("dead-letters", "discard", first)).out == "discarded  1\n"
    assert (await switchyard("dead-letters", "discard", "--all", "--json")).json == {"discarded": 2}


@pytest.mark.parametrize("action", ["retry", "discard"])
async def test_an_id_and_a_filter_exclude_each_other_and_nothing_is_not_all(
    switchyard: Switchyard, record: Pool, action: str
) -> None:
    job = await dead(Ledger(record))
    for arguments, told in (
        ([job, "--queue", "webhooks"], "id: cannot be given with a filter"),
        ([job, "--all"], "id: cannot be given with a filter"),
        ([], "all: say so, or filter"),
        (["x"], "id: must be a UUID"),
    ):
        ran = await switchyard("dead-letters", action, *arguments)
        assert (ran.code, ran.err) == (2, f"switchyard: {told}\n")
    assert await state_of(record, job) is State.DEAD


@pytest.mark.parametrize("command", ["jobs show", "jobs cancel", "jobs retry", "dead-letters show"])
async def test_an_unknown_id_is_told(switchyard: Switchyard, command: str) -> None:
    missing = new_id()
    ran = await switchyard(*command.split(), missing)
    assert (ran.code, ran.out, ran.err) == (1, "", f"switchyard: there is no job {missing}\n")
    assert (await switchyard(*command.split(), "x")).code == 2
