"""Jobs as people see them."""

import json

import pytest

from tests.jobs.records import added, enrolled, new_job, running, started
from worker.database.pool import Pool
from worker.errors import NotFound
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.reading import JobQuery, JobReader
from worker.jobs.states import State
from worker.jobs.views import Job, wire


@pytest.fixture
def reader(pool: Pool) -> JobReader:
    return JobReader(pool)


async def test_a_job_is_shown_in_camel_case_with_its_attempts(
    reader: JobReader, ledger: Ledger
) -> None:
    job = await running(ledger, delivery_id="d", correlation_id="c")
    await ledger.retry_later(job, Failure("failed", "ValueError", "no", "Traceback"), 0.0, ())
    await ledger.release(await started(ledger, job.id), "stopping")
    shown = json.loads(wire(await reader.get(job.id)))
    assert (shown["id"], shown["state"], shown["attempt"]) == (str(job.id), "queued", 2)
    assert (shown["maxAttempts"], shown["deliveryId"], shown["correlationId"]) == (3, "d", "c")
    first, second = shown["attempts"]
    assert (first["attempt"], first["outcome"], first["errorType"]) == (1, "failed", "ValueError")
    assert (first["message"], first["traceback"]) == ("no", "Traceback")
    assert {"startedAt", "finishedAt", "worker"} <= set(first)
    assert (second["attempt"], second["outcome"]) == (2, "released")


async def test_the_engines_bookkeeping_is_not_shown(reader: JobReader, ledger: Ledger) -> None:
    job = await running(ledger)
    shown = json.loads(wire(await reader.get(job.id)))
    assert not {"claim", "rungAt", "rung_at"} & set(shown)
    assert all("_" not in name for name in shown)


async def test_every_column_that_tells_of_a_job_is_shown(pool: Pool) -> None:
    columns = await pool.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'jobs'"
    )
    assert {c["column_name"] for c in columns} - {"claim", "rung_at"} == Job.model_fields.keys()


async def test_an_unknown_job_is_not_found(reader: JobReader) -> None:
    missing = new_id()
    with pytest.raises(NotFound, match=str(missing)):
        await reader.get(missing)


async def test_jobs_are_paged_newest_first(reader: JobReader, ledger: Ledger) -> None:
    newest = sorted([(await added(ledger)).id for _ in range(5)], reverse=True)
    first = await reader.page(JobQuery(limit=2))
    assert [j.id for j in first.items] == newest[:2]
    rest = await reader.page(JobQuery.model_validate({"cursor": first.next}))
    assert ([j.id for j in rest.items], rest.next) == (newest[2:], None)


async def test_jobs_are_filtered_by_each_thing_known_of_them(
    pool: Pool, reader: JobReader, ledger: Ledger
) -> None:
    project_id = await enrolled(pool)
    wanted = new_job(queue="webhooks", kind="webhook_delivery", project_id=project_id,
                     org_id="o", delivery_id="d")  # fmt: skip
    await ledger.add([wanted, new_job(org_id="other", delivery_id="other")])
    dead = await running(ledger)
    await ledger.bury(dead, Failure("failed", "E", "m"), ())
    for query in (
        JobQuery(queue="webhooks"),
        JobQuery(kind="webhook_delivery"),
        JobQuery(delivery_id="d"),
        JobQuery(project_id=project_id),
        JobQuery(org_id="o"),
    ):
        assert [j.id for j in (await reader.page(query)).items] == [wanted.id]
    assert [j.id for j in (await reader.page(JobQuery(state=State.DEAD))).items] == [dead.id]
    assert (await reader.page(JobQuery(queue="webhooks", state=State.DEAD))).items == []


async def test_jobs_are_filtered_by_when_they_were_recorded(
    reader: JobReader, ledger: Ledger
) -> None:
    first, second, third = [(await added(ledger)).id for _ in range(3)]
    middle = (await reader.get(second)).created_at
    later = await reader.page(JobQuery(created_after=middle))
    earlier = await reader.page(JobQuery(created_before=middle))
    assert ([j.id for j in later.items], [j.id for j in earlier.items]) == ([third], [first])
