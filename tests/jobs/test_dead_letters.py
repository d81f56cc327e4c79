"""Dead letters: found by what is known of them, retried at a rate, discarded with a trace."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.jobs.records import (
    added,
    delivery,
    enrolled,
    placed,
    record_delivery,
    row,
    running,
    state_of,
)
from worker.database.pool import Pool
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.dead_letters import (
    CHUNK,
    DeadLetterFilter,
    DeadLetterQuery,
    DeadLetters,
    ManyDeadLetters,
    RetryMany,
)
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.ring import Ring
from worker.jobs.states import State

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Rung:
    """Remembers what was to be rung."""

    def __init__(self) -> None:
        self.rings: list[Ring] = []

    def ring(self, rings: Sequence[Ring]) -> None:
        self.rings += rings


@pytest.fixture
def rung() -> Rung:
    return Rung()


@pytest.fixture
def letters(pool: Pool, rung: Rung) -> DeadLetters:
    return DeadLetters(pool, rung)


async def buried(pool: Pool, error_type: str = "ValueError", **columns: Any) -> UUID:
    """A dead job with one failed attempt, and these columns changed."""
    job = await placed(pool, State.DEAD)
    await pool.execute(
        "INSERT INTO job_attempts (job_id, attempt, outcome, error_type, message, traceback)"
        " VALUES ($1, 1, 'failed', $2, 'no', 'Traceback')",
        job.id, error_type,
    )  # fmt: skip
    for name, value in columns.items():
        await pool.execute(f"UPDATE jobs SET {name} = $2 WHERE id = $1", job.id, value)
    return job.id


async def found(letters: DeadLetters, **wanted: Any) -> set[UUID]:
    return {d.id for d in (await letters.page(DeadLetterQuery(**wanted))).items}


async def test_dead_letters_are_found_by_each_thing_known_of_them(
    pool: Pool, letters: DeadLetters
) -> None:
    project = await enrolled(pool)
    wanted = await buried(
        pool, "KeyError", queue="webhooks", kind="webhook_delivery", org_id="o",
        project_id=project, error="No Route to Host", finished_at=LONG_AGO,
    )  # fmt: skip
    other = await buried(pool, error="out of paper")
    day = timedelta(days=1)
    for filter_ in (
        {"queue": "webhooks"}, {"kind": "webhook_delivery"}, {"org_id": "o"},
        {"project_id": project}, {"error": "route to"}, {"error_type": "KeyError"},
        {"dead_before": LONG_AGO + day}, {"dead_after": LONG_AGO - day, "queue": "webhooks"},
    ):  # fmt: skip
        assert await found(letters, **filter_) == {wanted}, filter_
    assert await found(letters, dead_after=LONG_AGO + day) == {other}
    assert await found(letters) == {wanted, other}
    assert await found(letters, error="100%") == set()


async def test_the_error_type_is_that_of_the_last_attempt(
    pool: Pool, letters: DeadLetters, ledger: Ledger
) -> None:
    job = await buried(pool, "FirstError", attempt=2)
    await pool.execute(
        "INSERT INTO job_attempts (job_id, attempt, outcome, error_type, message, started_at)"
        " VALUES ($1, 2, 'timeout', 'LastError', 'too long', now())",
        job,
    )
    assert await found(letters, error_type="FirstError") == set()
    [letter] = (await letters.page(DeadLetterQuery(error_type="LastError"))).items
    last = letter.last_attempt
    assert last is not None
    assert (last.attempt, last.outcome, last.message) == (2, "timeout", "too long")
    assert last.started_at is not None


async def test_only_the_dead_are_dead_letters(pool: Pool, letters: DeadLetters) -> None:
    for state in State:
        if state is not State.DEAD:
            await placed(pool, state)
    assert await found(letters) == set()


async def test_pages_go_from_the_latest_to_the_oldest(pool: Pool, letters: DeadLetters) -> None:
    # Two died at the same moment: the pages must neither repeat nor leave out one of them.
    hours = [1, 2, 2, 2, 3]
    ids = [await buried(pool, finished_at=LONG_AGO + timedelta(hours=h)) for h in hours]
    seen: list[UUID] = []
    cursor = None
    for _ in range(3):
        query = DeadLetterQuery.model_validate({"limit": 2, "cursor": cursor} if cursor
                                               else {"limit": 2})  # fmt: skip
        answer = await letters.page(query)
        seen += [d.id for d in answer.items]
        cursor = answer.next
    assert cursor is None
    assert (len(seen), set(seen)) == (5, set(ids))
    assert (seen[0], seen[-1]) == (ids[4], ids[0])


async def test_one_is_retried_at_once_with_its_counts_at_zero(
    pool: Pool, letters: DeadLetters, rung: Rung
) -> None:
    job = await buried(pool, failures=1, error="no", cancel_reason="x", org_id="o")
    done = await letters.retry(job)
    after = await row(pool, job)
    assert (done.retried, after["state"], after["failures"]) == (1, "queued", 0)
    assert (after["error"], after["cancel_reason"], after["finished_at"]) == (None, None, None)
    assert rung.rings == [Ring(job, "artifact-scan", 0.0, 0, "o", "")]


@pytest.mark.parametrize("action", ["retry", "discard"])
async def test_what_is_not_dead_is_left_alone(
    pool: Pool, letters: DeadLetters, rung: Rung, action: str
) -> None:
    for state in State:
        if state is not State.DEAD:
            job = await placed(pool, state)
            with pytest.raises(Conflict, match=f"{job.id} is {state}"):
                await getattr(letters, action)(job.id)
            assert await state_of(pool, job.id) is state
    with pytest.raises(NotFound, match="there is no job"):
        await getattr(letters, action)(new_id())
    assert rung.rings == []


async def test_many_are_retried_oldest_first_at_the_rate(
    pool: Pool, letters: DeadLetters, rung: Rung
) -> None:
    ids = [await buried(pool, finished_at=LONG_AGO + timedelta(hours=n)) for n in range(4)]
    left = await buried(pool, queue="webhooks")
    done = await letters.retry_many(RetryMany(queue="artifact-scan", rate_per_second=4))
    due = [(await row(pool, job))["run_at"] for job in ids]
    assert [(d - due[0]).total_seconds() for d in due] == [0.0, 0.25, 0.5, 0.75]
    assert (done.retried, done.last_due_at) == (4, due[-1])
    rings = sorted(rung.rings, key=lambda ring: ring.run_at_ms)
    assert [r.id for r in rings] == ids
    assert [r.run_at_ms for r in rings] == pytest.approx([d.timestamp() * 1000 for d in due], abs=1)
    assert await state_of(pool, left) is State.DEAD


async def test_many_are_retried_at_once_without_a_rate(
    pool: Pool, letters: DeadLetters, rung: Rung
) -> None:
    ids = {await buried(pool) for _ in range(3)}
    assert (await letters.retry_many(RetryMany(all=True))).retried == 3
    assert {(r.id, r.run_at_ms) for r in rung.rings} == {(i, 0.0) for i in ids}


async def test_every_letter_is_meant_only_when_that_is_said(
    pool: Pool, letters: DeadLetters
) -> None:
    job = await buried(pool)
    for wanted in (RetryMany(), RetryMany(rate_per_second=1)):
        with pytest.raises(InvalidInput) as refused:
            await letters.retry_many(wanted)
        assert list(refused.value.fields) == ["all"]
    with pytest.raises(InvalidInput):
        await letters.discard_many(ManyDeadLetters())
    assert await state_of(pool, job) is State.DEAD


async def test_discarding_deletes_attempts_and_closes_the_delivery_with_its_last_job(
    pool: Pool, letters: DeadLetters, ledger: Ledger
) -> None:
    await record_delivery(pool, "d-1")
    await record_delivery(pool, "d-2")
    first, second = [await buried(pool, delivery_id="d-1") for _ in range(2)]
    dead, alive = await buried(pool, delivery_id="d-2"), await added(ledger, delivery_id="d-2")
    assert (await letters.discard(first)).discarded == 1
    assert (await delivery(pool, "d-1"))["closed_at"] is None
    await letters.discard(second)
    await letters.discard(dead)
    assert (await delivery(pool, "d-1"))["closed_at"] is not None
    assert (await delivery(pool, "d-2"))["closed_at"] is None
    assert await state_of(pool, alive.id) is State.QUEUED
    assert await pool.fetchval("SELECT count(*) FROM job_attempts") == 0


async def test_of_two_discards_at_once_the_later_closes_the_delivery(
    pool: Pool, letters: DeadLetters
) -> None:
    for n in range(20):
        name = await record_delivery(pool, f"d-{n}")
        jobs = [await buried(pool, delivery_id=name) for _ in range(2)]
        await asyncio.gather(*map(letters.discard, jobs))
        assert (await delivery(pool, name))["closed_at"] is not None


async def test_discarding_by_filter_leaves_the_rest(
    pool: Pool, letters: DeadLetters, ledger: Ledger
) -> None:
    old = await buried(pool, finished_at=LONG_AGO)
    new = await buried(pool)
    done = await letters.discard_many(ManyDeadLetters(dead_before=LONG_AGO + timedelta(days=1)))
    assert done.discarded == 1
    assert await found(letters) == {new}
    job = await running(ledger)
    await ledger.bury(job, Failure("failed", "E", "m"), ())
    assert (await letters.discard_many(ManyDeadLetters(all=True))).discarded == 2
    assert await pool.fetchval("SELECT count(*) FROM jobs WHERE id = $1", old) == 0


async def test_more_than_one_chunk_is_retried_and_discarded_whole(
    pool: Pool, letters: DeadLetters, rung: Rung
) -> None:
    count = CHUNK + 10
    await pool.execute(
        "INSERT INTO jobs (id, queue, kind, payload, state, attempt, max_attempts, finished_at)"
        " SELECT gen_random_uuid(), 'webhooks', 'webhook_delivery', '{}', 'dead', 1, 1,"
        " now() - make_interval(secs => n) FROM generate_series(1, $1) n",
        count,
    )
    done = await letters.retry_many(RetryMany(queue="webhooks", rate_per_second=1000))
    [spread] = await pool.fetch(
        "SELECT count(DISTINCT run_at) AS moments, max(run_at) - min(run_at) AS span FROM jobs"
    )
    assert (done.retried, len(rung.rings), spread["moments"]) == (count, count, count)
    assert spread["span"].total_seconds() == pytest.approx((count - 1) / 1000)
    await pool.execute("UPDATE jobs SET state = 'dead', finished_at = now()")
    assert (await letters.discard_many(ManyDeadLetters(all=True))).discarded == count


def test_a_filter_knows_whether_it_is_empty() -> None:
    assert DeadLetterFilter().is_empty
    for name in DeadLetterFilter.model_fields:
        value = {"queue": "webhooks", "kind": "index", "project_id": new_id()}.get(name, "x")
        value = LONG_AGO if name.startswith("dead_") else value
        assert not DeadLetterFilter.model_validate({name: value}).is_empty, name
