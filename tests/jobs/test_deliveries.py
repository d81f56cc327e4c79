"""Accepting deliveries: one row and one set of jobs, however often and from wherever it comes."""

import asyncio
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.jobs.records import (
    CountingPool,
    blocked,
    delivery,
    enrolled,
    new_job,
    row,
    started,
    state_of,
)
from worker.database.pool import Pool, connect_pool
from worker.errors import RecordUnavailable
from worker.jobs.deliveries import Acceptance, Arrival, Deliveries
from worker.jobs.finishes import Failure
from worker.jobs.ledger import UNSTORABLE, Ledger
from worker.jobs.model import JobResult
from worker.jobs.ring import Ring
from worker.jobs.states import State

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def deliveries(pool: Pool) -> Deliveries:
    return Deliveries(pool)


def arrival(guid: str = "d-1", **fields: Any) -> Arrival:
    """A push that asks for one job, planned anew like every copy of a request is."""
    job = new_job(delivery_id=guid, dedupe_key=f"delivery:{guid}", priority=10)
    made = Arrival(guid, "push", b'{"ref":1}', {"User-Agent": "GitHub"}, jobs=(job,))
    return replace(made, **fields)


def ignored(guid: str = "d-1") -> Arrival:
    return arrival(guid, jobs=(), ignored_reason="repository_not_enrolled")


async def accept(deliveries: Deliveries, arrival: Arrival) -> Acceptance:
    """What becomes of one that comes alone."""
    [answer] = await deliveries.accept([arrival])
    return answer


async def job_count(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM jobs"))


async def test_a_fresh_delivery_is_recorded_with_its_jobs(
    pool: Pool, deliveries: Deliveries
) -> None:
    project_id = await enrolled(pool)
    came = arrival(action="a", repository="acme/x", repository_id=7, project_id=project_id,
                   ref="refs/heads/main", traceparent=TRACE)  # fmt: skip
    answer = await accept(deliveries, came)
    [job] = came.jobs
    assert answer == Acceptance(
        [{"id": str(job.id), "queue": "artifact-scan"}], None, False,
        [Ring(job.id, "artifact-scan", 0.0, 10)],
    )  # fmt: skip
    kept = await delivery(pool)
    assert dict(kept) | {
        "event": "push", "action": "a", "repository": "acme/x", "repository_id": 7,
        "project_id": project_id, "ref": "refs/heads/main", "body": b'{"ref":1}',
        "headers": {"User-Agent": "GitHub"}, "jobs": answer.jobs, "ignored_reason": None,
        "traceparent": TRACE, "processed": False, "retry_count": 0,
    } == dict(kept)  # fmt: skip
    assert await state_of(pool, job.id) is State.QUEUED
    assert (await row(pool, job.id))["delivery_id"] == "d-1"


async def test_an_ignored_delivery_is_recorded_with_its_reason(
    pool: Pool, deliveries: Deliveries
) -> None:
    answer = await accept(deliveries, ignored())
    assert answer == Acceptance([], "repository_not_enrolled", False, [])
    again = await accept(deliveries, ignored())
    assert again == Acceptance([], "repository_not_enrolled", True, [])
    assert (await delivery(pool))["ignored_reason"] == "repository_not_enrolled"


async def test_a_redelivery_names_the_first_jobs(pool: Pool, deliveries: Deliveries) -> None:
    first = await accept(deliveries, arrival())
    again = await accept(deliveries, arrival())
    assert (again.jobs, again.duplicate, again.to_ring) == (first.jobs, True, [])
    assert await job_count(pool) == 1


async def test_a_hundred_copies_over_two_processes_make_one_row_and_one_job(
    pool: Pool, deliveries: Deliveries
) -> None:
    both = (deliveries, Deliveries(pool))
    answers = await asyncio.gather(*(accept(both[n % 2], arrival()) for n in range(100)))
    assert len({str(a.jobs) for a in answers}) == 1
    assert [a.duplicate for a in answers].count(False) == 1
    assert await job_count(pool) == 1
    assert str(await pool.fetchval("SELECT id FROM jobs")) == answers[0].jobs[0]["id"]


async def test_of_copies_in_one_batch_one_rings(deliveries: Deliveries) -> None:
    answers = await deliveries.accept([arrival() for _ in range(5)])
    assert [len(a.to_ring) for a in answers] == [1, 0, 0, 0, 0]


async def test_many_can_be_accepted_in_one_call(pool: Pool) -> None:
    counting = CountingPool(pool)
    came = [arrival("d-1"), arrival("d-2"), arrival("d-1"), ignored("d-3")]
    answers = await Deliveries(counting).accept(came)  # type: ignore[arg-type]
    assert [a.duplicate for a in answers] == [False, False, True, False]
    assert answers[0].jobs == answers[2].jobs == came[0].planned
    assert (counting.statements, await job_count(pool)) == (1, 2)


async def test_crossed_batches_of_two_processes_all_succeed(pool: Pool) -> None:
    guids = [f"d-{n}" for n in range(60)]
    rivals = [(Deliveries(pool), guids[::step]) for step in (1, -1, 1, -1)]
    batches = [
        rival.accept([arrival(g) for g in order[n : n + 20]])
        for rival, order in rivals
        for n in range(0, len(guids), 20)
    ]
    answers = [a for batch in await asyncio.gather(*batches) for a in batch]
    assert len(answers) == len(rivals) * len(guids)
    assert [a.duplicate for a in answers].count(False) == len(guids)
    assert await job_count(pool) == len(guids)


async def test_a_deadlock_is_tried_again(pool: Pool, deliveries: Deliveries) -> None:
    """Another program records the two in the other order; Postgres ends one of the two."""
    insert = (
        "INSERT INTO webhook_events (delivery_id, event, body, headers) VALUES ($1, 'e', '', $2)"
    )
    async with pool.acquire() as other:
        await other.execute("SET deadlock_timeout = '20s'")
        async with other.transaction():
            await other.execute(insert, "d-2", {})
            accepting = asyncio.ensure_future(
                deliveries.accept([ignored(g) for g in ("d-1", "d-2")])
            )
            await blocked(pool)
            await other.execute(insert, "d-1", {})
        await other.execute("RESET deadlock_timeout")
    assert [a.duplicate for a in await accepting] == [True, True]


async def test_a_repository_enrolled_since_is_scanned_on_redelivery(
    pool: Pool, deliveries: Deliveries
) -> None:
    project_id = await enrolled(pool)
    await accept(deliveries, ignored())
    came = arrival(project_id=project_id)
    answer = await accept(deliveries, came)
    assert (answer.jobs, answer.ignored_reason, answer.duplicate) == (came.planned, None, False)
    assert [r.id for r in answer.to_ring] == [came.jobs[0].id]
    kept = await delivery(pool)
    assert (kept["jobs"], kept["project_id"], kept["ignored_reason"]) == (
        came.planned, project_id, None,
    )  # fmt: skip
    assert await state_of(pool, came.jobs[0].id) is State.QUEUED


async def test_copies_of_a_redelivery_after_enrolment_name_the_same_job(
    pool: Pool, deliveries: Deliveries
) -> None:
    await accept(deliveries, ignored())
    rivals = [Deliveries(pool) for _ in range(4)]
    answers = await asyncio.gather(*(accept(r, arrival()) for r in rivals for _ in range(3)))
    assert await job_count(pool) == 1
    [job] = await pool.fetch("SELECT id FROM jobs")
    assert {a.jobs[0]["id"] for a in answers} == {str(job["id"])}
    assert {a.ignored_reason for a in answers} == {None}
    assert [a.duplicate for a in answers].count(False) == 1


async def test_a_delivery_whose_job_died_runs_again_on_redelivery(
    pool: Pool, deliveries: Deliveries, ledger: Ledger
) -> None:
    job_id = UUID((await accept(deliveries, arrival())).jobs[0]["id"])
    await ledger.bury(await started(ledger, job_id), Failure("failed", "E", "m"), ())
    again = await accept(deliveries, arrival())
    assert (again.duplicate, again.to_ring) == (True, [Ring(job_id, "artifact-scan", 0.0, 10)])
    assert await state_of(pool, job_id) is State.QUEUED
    assert (await started(ledger, job_id)).attempt == 2
    assert await job_count(pool) == 1


async def test_a_delivery_whose_job_succeeded_does_not_run_again(
    pool: Pool, deliveries: Deliveries, ledger: Ledger
) -> None:
    job_id = UUID((await accept(deliveries, arrival())).jobs[0]["id"])
    await ledger.complete(await started(ledger, job_id), JobResult(True, "done"), ())
    again = await accept(deliveries, arrival())
    assert (again.duplicate, again.to_ring) == (True, [])
    assert await state_of(pool, job_id) is State.COMPLETED


async def test_a_body_of_25_megabytes_is_kept_whole(pool: Pool, deliveries: Deliveries) -> None:
    body = bytes(range(256)) * (25 * 4096)
    await accept(deliveries, arrival(body=body))
    assert (await delivery(pool))["body"] == body


@pytest.mark.parametrize(
    "odd", [{"repository_id": 2**63}, {"delivery_id": "x" * 101}], ids=["past 64 bits", "long id"]
)
async def test_what_cannot_be_stored_is_refused_with_its_whole_batch(
    pool: Pool, deliveries: Deliveries, odd: dict[str, Any]
) -> None:
    came = [arrival(f"d-{n}") for n in range(5)]
    came[2] = replace(came[2], **odd)
    with pytest.raises(UNSTORABLE):
        await deliveries.accept(came)
    assert await job_count(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM webhook_events") == 0
    del came[2]
    assert [a.duplicate for a in await deliveries.accept(came)] == [False] * 4


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
async def test_characters_that_postgres_has_not_become_question_marks(
    pool: Pool, deliveries: Deliveries, text: str
) -> None:
    await accept(deliveries, arrival(ref=text))
    assert (await delivery(pool))["ref"] == "a?b"


async def test_every_field_of_a_job_is_kept(pool: Pool, deliveries: Deliveries) -> None:
    due = datetime(2031, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
    job = new_job(
        delivery_id="d-1", payload={"text": 'a "quoted"\n\\ é', "list": [1, None, 2.5]},
        project_id=await enrolled(pool), org_id="org", priority=-3, dedupe_key="k", run_at=due,
        correlation_id="c", concurrency_key="key", traceparent=TRACE, lane="l", lane_order=2**40,
    )  # fmt: skip
    await accept(deliveries, arrival(jobs=(job,)))
    kept = await row(pool, job.id)
    assert {f.name: kept[f.name] for f in fields(job)} == asdict(job)


async def test_a_delivery_and_its_jobs_are_recorded_together_or_not_at_all(
    pool: Pool, deliveries: Deliveries
) -> None:
    taken = arrival("d-1")
    await accept(deliveries, taken)
    twin = replace(arrival("d-2"), jobs=(replace(taken.jobs[0], delivery_id="d-2"),))
    with pytest.raises(asyncpg.UniqueViolationError):
        await accept(deliveries, twin)
    assert await pool.fetchval("SELECT count(*) FROM webhook_events") == 1


async def test_a_lost_postgres_promises_nothing(database_url: str) -> None:
    pool = await connect_pool(database_url, size=1)
    await pool.close()
    with pytest.raises(RecordUnavailable):
        await Deliveries(pool).accept([arrival()])
