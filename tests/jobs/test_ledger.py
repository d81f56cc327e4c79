"""What each transition writes: the row, the counts, the history, the events, the delivery."""

from datetime import UTC, datetime, timedelta

from tests.jobs.records import (
    WORKER,
    added,
    asked,
    delivery,
    enrolled,
    events_of,
    history,
    new_job,
    record_delivery,
    row,
    running,
    started,
)
from worker.database.pool import Pool
from worker.jobs.events import NewEvent
from worker.jobs.finishes import Failure
from worker.jobs.ledger import Claim, Ledger, NotStarted
from worker.jobs.model import JobResult, StartedJob

DONE = JobResult(True, "done", {"n": 1})
FAILURE = Failure("failed", "ValueError", "no such thing", "Traceback …")


async def test_a_new_job_waits_with_everything_it_was_given(pool: Pool, ledger: Ledger) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    project_id = await enrolled(pool)
    job = await added(
        ledger, payload={"é": [1, None]}, max_attempts=5, project_id=project_id, org_id="o",
        priority=10, dedupe_key="k", run_at=due, delivery_id="d", correlation_id="c",
    )  # fmt: skip
    found = await row(pool, job.id)
    assert dict(found) | {
        "state": "queued", "payload": {"é": [1, None]}, "max_attempts": 5, "org_id": "o",
        "project_id": project_id, "priority": 10, "dedupe_key": "k", "run_at": due,
        "delivery_id": "d", "correlation_id": "c", "attempt": 0, "failures": 0, "crashes": 0,
        "started_at": None, "finished_at": None, "worker": None,
    } == dict(found)  # fmt: skip


async def test_of_two_jobs_with_one_dedupe_key_the_first_is_recorded(ledger: Ledger) -> None:
    first, second, other = new_job(dedupe_key="k"), new_job(dedupe_key="k"), new_job()
    assert await ledger.add([first]) == {first.id}
    assert await ledger.add([second, other]) == {other.id}
    assert isinstance(await asked(ledger, second.id), NotStarted)


async def test_adding_nothing_is_fine(ledger: Ledger) -> None:
    assert await ledger.add([]) == set()


async def test_a_started_job_carries_its_payload_project_and_wait(
    pool: Pool, ledger: Ledger
) -> None:
    project_id = await enrolled(pool)
    due = datetime.now(UTC) - timedelta(seconds=90)
    job = await running(ledger, project_id=project_id, run_at=due, delivery_id="d",
                        correlation_id="c")  # fmt: skip
    assert (job.queue, job.kind, job.payload) == ("artifact-scan", "artifact_scan", {"n": 1})
    assert (job.attempt, job.failures, job.max_attempts) == (1, 0, 3)
    assert (job.project_id, job.delivery_id, job.correlation_id) == (project_id, "d", "c")
    assert 90 <= job.waited < 100
    assert job.project is not None
    assert (job.project.id, job.project.name, job.project.plan) == (project_id, "p", "free")
    found = await row(pool, job.id)
    assert (found["state"], found["worker"], found["claim"]) == ("running", WORKER, job.token)
    assert found["started_at"] is not None


async def test_a_job_of_a_project_that_is_not_enrolled_has_none(ledger: Ledger) -> None:
    job = await running(ledger, project_id=new_job().id)
    assert job.project is None
    assert job.project_id is not None


async def test_a_completed_job_keeps_its_result_and_its_event(pool: Pool, ledger: Ledger) -> None:
    project_id = await enrolled(pool)
    job = await running(ledger, project_id=project_id)
    event = NewEvent(project_id, "artifact_scan_completed", {"jobId": str(job.id)})
    assert await ledger.complete(job, DONE, [event])
    found = await row(pool, job.id)
    assert found["result"] == {"success": True, "message": "done", "data": {"n": 1}}
    assert (found["progress"], found["error"], found["worker"]) == (100, None, None)
    assert found["finished_at"] is not None
    assert await history(pool, job.id) == []
    [told] = await events_of(pool, job.id)
    assert (told["id"], told["event"], told["payload"], told["published_at"]) == (
        event.id, "artifact_scan_completed", {"jobId": str(job.id)}, None,
    )  # fmt: skip


async def test_a_failed_attempt_is_counted_kept_and_due_later(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    assert await ledger.retry_later(job, FAILURE, 30.0, ())
    found = await row(pool, job.id)
    assert (found["state"], found["failures"], found["crashes"]) == ("retrying", 1, 0)
    assert found["error"] == "no such thing"
    assert found["result"] == {"success": False, "message": "attempt failed",
                               "error": "no such thing"}  # fmt: skip
    left = (found["run_at"] - datetime.now(UTC)).total_seconds()
    assert 25 < left <= 30
    [kept] = await pool.fetch("SELECT * FROM job_attempts WHERE job_id = $1", job.id)
    assert (kept["attempt"], kept["worker"], kept["outcome"]) == (1, WORKER, "failed")
    assert (kept["error_type"], kept["message"], kept["traceback"]) == (
        "ValueError", "no such thing", "Traceback …",
    )  # fmt: skip
    assert kept["started_at"] == found["started_at"] <= kept["finished_at"]


async def test_a_job_before_its_time_is_early_and_left_alone(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    await ledger.retry_later(job, FAILURE, 30.0, ())
    before = await row(pool, job.id)
    answer = await asked(ledger, job.id)
    assert isinstance(answer, NotStarted)
    assert answer.reason == "early"
    assert await row(pool, job.id) == before


async def test_a_job_of_an_unknown_kind_waits(pool: Pool, ledger: Ledger) -> None:
    job = await added(ledger, kind="telepathy")
    before = await row(pool, job.id)
    answer = await asked(ledger, job.id)
    assert isinstance(answer, NotStarted)
    assert answer.reason == "unknown_kind"
    assert await row(pool, job.id) == before


async def test_a_release_and_a_snooze_count_nothing(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    assert await ledger.release(job, "stopping")
    second = await started(ledger, job.id)
    assert await ledger.snooze(second, 0.0, "busy")
    third = await started(ledger, job.id)
    assert [job.attempt, second.attempt, third.attempt] == [1, 2, 3]
    found = await row(pool, job.id)
    assert (found["failures"], found["crashes"]) == (0, 0)
    assert await history(pool, job.id) == [(1, "released"), (2, "snoozed")]


async def test_a_snooze_waits_and_a_release_does_not(pool: Pool, ledger: Ledger) -> None:
    snoozed, released = await running(ledger), await running(ledger)
    await ledger.snooze(snoozed, 60.0, "busy")
    await ledger.release(released, "stopping")
    assert (await row(pool, snoozed.id))["run_at"] > datetime.now(UTC) + timedelta(seconds=55)
    assert (await row(pool, released.id))["error"] is None
    assert isinstance(await asked(ledger, released.id), StartedJob)


async def test_a_cancelled_job_says_why(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger)
    assert await ledger.cancel(job, "the branch is gone", ())
    found = await row(pool, job.id)
    assert (found["error"], found["failures"]) == ("the branch is gone", 0)
    assert found["result"] == {"success": False, "message": "cancelled",
                               "error": "the branch is gone"}  # fmt: skip
    assert await history(pool, job.id) == [(1, "cancelled")]


async def test_a_dead_job_starts_afresh_and_its_attempts_go_on(pool: Pool, ledger: Ledger) -> None:
    job = await running(ledger, priority=5)
    assert await ledger.bury(job, FAILURE, ())
    assert (await row(pool, job.id))["failures"] == 1
    [retried] = await ledger.retry_dead([job.id])
    assert (retried["id"], retried["queue"], retried["priority"]) == (job.id, "artifact-scan", 5)
    found = await row(pool, job.id)
    assert (found["failures"], found["crashes"], found["attempt"]) == (0, 0, 1)
    assert (found["error"], found["result"], found["finished_at"]) == (None, None, None)
    assert (await started(ledger, job.id)).attempt == 2
    assert await history(pool, job.id) == [(1, "failed")]


async def test_a_stale_attempt_finishes_nothing(pool: Pool, ledger: Ledger) -> None:
    project_id = await enrolled(pool)
    stale = await running(ledger, project_id=project_id, delivery_id=await record_delivery(pool))
    owner = await started(ledger, stale.id)
    before, mark = await row(pool, stale.id), await delivery(pool)
    event = NewEvent(project_id, "artifact_scan_failed", {})
    assert not await ledger.complete(stale, DONE, [event])
    assert not await ledger.retry_later(stale, FAILURE, 0, [event])
    assert not await ledger.bury(stale, FAILURE, [event])
    assert not await ledger.snooze(stale, 0, "x")
    assert not await ledger.release(stale, "x")
    assert not await ledger.cancel(stale, "x", [event])
    assert await row(pool, stale.id) == before
    assert await delivery(pool) == mark
    assert await events_of(pool, stale.id) == []
    assert await history(pool, stale.id) == [(1, "crashed")]
    assert await ledger.complete(owner, DONE, [])
    assert not await ledger.complete(owner, DONE, [])


async def test_answers_come_in_the_order_of_the_claims(ledger: Ledger) -> None:
    jobs = [await added(ledger) for _ in range(4)]
    ids = [j.id for j in reversed(jobs)] + [new_job().id]
    answers = await ledger.start([Claim(i, "t") for i in ids], WORKER, ["artifact_scan"])
    told = [a.id if isinstance(a, StartedJob) else a.claim.id for a in answers]
    assert told == ids
    assert [isinstance(a, StartedJob) for a in answers] == [True] * 4 + [False]
