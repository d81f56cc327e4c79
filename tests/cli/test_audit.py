"""`switchyard audit` and `switchyard jobs why`."""

import pytest

from tests.cli.conftest import Switchyard
from tests.jobs.records import added
from worker.database.pool import Pool
from worker.jobs import conservation
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look follows the first."""
    monkeypatch.setattr(conservation, "LOOK_AGAIN_SECONDS", 0.01)


async def lost(record: Pool) -> str:
    """The id of a job that nobody will ever start."""
    job = await added(Ledger(record))
    await record.execute("UPDATE jobs SET run_at = now() - interval '1 hour'")
    return str(job.id)


async def test_a_clean_audit_ends_with_0(switchyard: Switchyard) -> None:
    ran = await switchyard("audit")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(": all is accounted for\n")
    assert (await switchyard("audit", "--json")).json["clean"] is True


async def test_an_audit_that_found_something_ends_with_1(
    switchyard: Switchyard, record: Pool
) -> None:
    job_id = await lost(record)
    ran = await switchyard("audit")
    assert (ran.code, ran.err) == (1, "")
    assert "1 jobs that are due or run, and 0 ids in Redis: NOT CLEAN" in ran.out
    [line] = [line for line in ran.out.splitlines() if job_id in line]
    assert line.split()[:3] == ["job_not_in_redis", job_id, "artifact-scan"]
    assert "1 job_not_in_redis: a worker's reconciler" in ran.out
    told = await switchyard("audit", "--json", "--limit", 0)
    assert told.code == 1
    assert '"counts":{"job_not_in_redis":1},"offenders":[]' in told.out


async def test_an_audit_without_redis_is_not_clean(
    switchyard: Switchyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    ran = await switchyard("audit")
    assert ran.code == 1
    assert "Redis cannot be asked" in ran.out


async def test_why_a_job_waits_is_told_a_line_each(switchyard: Switchyard, record: Pool) -> None:
    job_id = await lost(record)
    await switchyard("queues", "pause", "artifact-scan", "--reason", "a migration")
    ran = await switchyard("jobs", "why", job_id)
    assert (ran.code, ran.err) == (0, "")
    codes = [line.split(None, 1) for line in ran.out.splitlines()]
    assert [code for code, _ in codes] == ["paused", "no_worker", "not_rung"]
    assert codes[0][1] == "its queue artifact-scan is paused: a migration"
    told = (await switchyard("jobs", "why", job_id, "--json")).json
    assert [r["code"] for r in told["reasons"]] == ["paused", "no_worker", "not_rung"]


async def test_why_of_no_job_is_told(switchyard: Switchyard) -> None:
    ran = await switchyard("jobs", "why", new_id())
    assert (ran.code, ran.out) == (1, "")
    assert "there is no job" in ran.err
