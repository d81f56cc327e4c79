"""Jobs as people see them."""

import pytest

from tests.jobs.records import added, enrolled, new_job, running, started
from worker.database.pool import Pool
from worker.errors import NotFound
from worker.jobs.ids import new_id
from worker.jobs.ledger import Failure, Ledger
from worker.jobs.reading import JobReader


@pytest.fixture
def reader(pool: Pool) -> JobReader:
    return JobReader(pool)


async def test_a_job_is_shown_in_camel_case_with_its_attempts(
    reader: JobReader, ledger: Ledger
) -> None:
    job = await running(ledger, delivery_id="d", correlation_id="c")
    await ledger.retry_later(job, Failure("failed", "ValueError", "no", "Traceback"), 0.0, ())
    await ledger.release(await started(ledger, job.id), "stopping")
    shown = await reader.get(job.id)
    assert (shown["id"], shown["state"], shown["attempt"]) == (job.id, "queued", 2)
    assert (shown["maxAttempts"], shown["deliveryId"], shown["correlationId"]) == (3, "d", "c")
    first, second = shown["attempts"]
    assert (first["attempt"], first["outcome"], first["errorType"]) == (1, "failed", "ValueError")
    assert (first["message"], first["traceback"]) == ("no", "Traceback")
    assert {"startedAt", "finishedAt", "worker"} <= set(first)
    assert (second["attempt"], second["outcome"]) == (2, "released")


async def test_the_engines_bookkeeping_is_not_shown(reader: JobReader, ledger: Ledger) -> None:
    job = await running(ledger)
    shown = await reader.get(job.id)
    assert not {"claim", "rungAt", "rung_at"} & set(shown)
    assert all("_" not in name for name in shown)


async def test_an_unknown_job_is_not_found(reader: JobReader) -> None:
    missing = new_id()
    with pytest.raises(NotFound, match=str(missing)):
        await reader.get(missing)


async def test_jobs_are_paged_newest_first(reader: JobReader, ledger: Ledger) -> None:
    newest = sorted([(await added(ledger)).id for _ in range(5)], reverse=True)
    assert [j["id"] for j in await reader.page(limit=2)] == newest[:2]
    assert [j["id"] for j in await reader.page(before=newest[1])] == newest[2:]


async def test_jobs_are_filtered_by_each_thing_known_of_them(
    pool: Pool, reader: JobReader, ledger: Ledger
) -> None:
    project_id = await enrolled(pool)
    wanted = new_job(queue="webhooks", kind="webhook_delivery", project_id=project_id,
                     delivery_id="d")  # fmt: skip
    await ledger.add([wanted, new_job()])
    dead = await running(ledger)
    await ledger.bury(dead, Failure("failed", "E", "m"), ())
    for page in (
        reader.page(queue="webhooks"),
        reader.page(kind="webhook_delivery"),
        reader.page(delivery_id="d"),
        reader.page(project_id=project_id),
    ):
        assert [j["id"] for j in await page] == [wanted.id]
    assert [j["id"] for j in await reader.page(state="dead")] == [dead.id]
    assert await reader.page(queue="webhooks", state="dead") == []
