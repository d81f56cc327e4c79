"""`switchyard queues` and `switchyard workers`."""

import pytest

from tests.cli.conftest import Switchyard
from tests.jobs.records import WORKER, added, running
from worker.database.pool import Pool
from worker.jobs.ledger import Ledger
from worker.jobs.queues import QUEUES


async def beat(record: Pool, worker: str = WORKER, seconds_ago: float = 0.0) -> None:
    """A worker that was heard of then."""
    await record.execute(
        "INSERT INTO workers (id, host, pid, queues, running, last_seen)"
        " VALUES ($1, 'h', 1, '{artifact-scan,webhooks}', 1, now() - make_interval(secs => $2))",
        worker, seconds_ago,
    )  # fmt: skip


async def test_queues_are_listed_with_what_waits(switchyard: Switchyard, record: Pool) -> None:
    ledger = Ledger(record)
    await added(ledger)
    await running(ledger)
    await beat(record)
    await switchyard("queues", "pause", "artifact-scan", "--reason", "a migration")
    ran = await switchyard("queues", "list")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.out.splitlines()}
    assert list(lines)[1:] == list(QUEUES)
    assert lines["artifact-scan"] == "a migration 1 1 0 0 s 10 at once 1"
    assert lines["indexing"] == "- 0 0 0 - 5 at once, 1 per key 0"
    assert lines["analysis"] == "- 0 0 0 - 10 at once, 100 in 60 s 0"
    two = (await switchyard("queues", "list", "--limit", 2, "--json")).json
    rest = (await switchyard("queues", "list", "--cursor", two["next"], "--json")).json
    assert [q["name"] for q in two["items"] + rest["items"]] == list(QUEUES)


async def test_a_queue_is_paused_resumed_and_resized(switchyard: Switchyard) -> None:
    paused = (await switchyard("queues", "pause", "webhooks", "--json")).json
    assert paused["pausedAt"] is not None
    resumed = (await switchyard("queues", "resume", "webhooks", "--json")).json
    assert (resumed["pausedAt"], resumed["pausedReason"]) == (None, None)
    resized = (
        await switchyard(
            "queues", "resize", "webhooks", "--concurrency=7", "--rate=5/1.5", "--json"
        )
    ).json
    assert resized["override"] == {
        "concurrency": 7, "perKey": None, "perOrganisation": None,
        "rate": {"count": 5, "seconds": 1.5},
    }  # fmt: skip
    assert resized["effective"]["concurrency"] == 7
    reset = (await switchyard("queues", "resize", "webhooks", "--rate", "default", "--json")).json
    assert (reset["override"]["rate"], reset["override"]["concurrency"]) == (None, 7)


async def test_a_queue_is_shown_with_where_its_limits_come_from(switchyard: Switchyard) -> None:
    await switchyard("queues", "resize", "analysis", "--per-organisation", 3)
    shown = (await switchyard("queues", "show", "analysis")).out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "policy 10 at once, 100 in 60 s" in lines
    assert "by hand 3 per organisation" in lines
    assert "in force 10 at once, 3 per organisation, 100 in 60 s" in lines
    assert "completed" in shown


@pytest.mark.parametrize(
    "limits",
    [[], ["--concurrency", "0"], ["--concurrency", "x"], ["--rate", "5"], ["--rate", "0/1"],
     ["--rate", "1/0"], ["--per-key", "-1"], ["--per-organisation", "9999999"]],
)  # fmt: skip
async def test_limits_that_make_no_sense_are_usage_errors(
    switchyard: Switchyard, record: Pool, limits: list[str]
) -> None:
    ran = await switchyard("queues", "resize", "webhooks", *limits)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert await record.fetchval("SELECT count(*) FROM queue_controls") == 0


@pytest.mark.parametrize("action", ["show", "pause", "resume", "resize"])
async def test_an_unknown_queue_is_told(switchyard: Switchyard, action: str) -> None:
    limits = ["--concurrency", "1"] if action == "resize" else []
    ran = await switchyard("queues", action, "nope", *limits)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("switchyard: there is no queue 'nope'")


async def test_workers_are_listed_with_what_they_run(switchyard: Switchyard, record: Pool) -> None:
    await beat(record)
    await beat(record, "worker-2", seconds_ago=60)
    job = await running(Ledger(record))
    ran = await switchyard("workers")
    assert [line.split()[:2] for line in ran.out.splitlines()[1:3]] == [
        [WORKER, "yes"], ["worker-2", "no"],
    ]  # fmt: skip
    assert ran.out.splitlines()[-1].split()[:3] == [WORKER, str(job.id), "artifact_scan"]
    alive, silent = (await switchyard("workers", "--json")).json["items"]
    assert [j["id"] for j in alive["jobs"]] == [str(job.id)]
    assert (alive["alive"], silent["alive"], silent["jobs"]) == (True, False, [])
