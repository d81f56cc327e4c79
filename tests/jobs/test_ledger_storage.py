"""What Postgres cannot hold is cleaned, or fails the one job that it belongs to."""

import asyncio
from typing import Any

import pytest

from tests.jobs.records import row, running, state_of
from worker.database.pool import Pool
from worker.jobs.finishes import Failure
from worker.jobs.ledger import UNSTORABLE, Ledger
from worker.jobs.model import JobResult
from worker.jobs.states import State

DONE = JobResult(True, "done")
FAILURE = Failure("failed", "E", "m")


@pytest.mark.parametrize(
    "value",
    ["a\0b", "\ud800", 10**30, 10**400, 10**5000, float("nan"), {"k\0": "\udfff"}, {1: {2**70}}],
    ids=["nul", "surrogate", "past 64 bits", "past doubles", "past str()", "nan", "keys", "set"],
)
async def test_what_json_cannot_hold_is_stored_cleaned(
    pool: Pool, ledger: Ledger, value: object
) -> None:
    jobs = [await running(ledger) for _ in range(3)]
    odd = JobResult(True, "done", {"value": value})
    results = [DONE, odd, DONE]
    ended = [ledger.complete(j, r, ()) for j, r in zip(jobs, results, strict=True)]
    assert await asyncio.gather(*ended) == [State.COMPLETED] * 3
    assert (await row(pool, jobs[1].id))["result"]["success"] is True


def test_a_failure_keeps_the_end_of_a_long_traceback_and_names_a_silent_error() -> None:
    failure = Failure.of(ValueError())
    assert (failure.error_type, failure.message) == ("ValueError", "ValueError")
    long = Failure.of(ValueError("x" * 20_000 + "end"))
    assert long.traceback is not None
    assert (len(long.traceback), long.traceback.rstrip()[-3:]) == (8000, "end")


@pytest.mark.parametrize("text", ["a\0b", "\udc80"], ids=["nul", "surrogate"])
@pytest.mark.parametrize("made", ["of", "by hand"])
async def test_a_failure_with_unstorable_text_is_recorded(
    pool: Pool, ledger: Ledger, text: str, made: str
) -> None:
    job = await running(ledger)
    failure = Failure.of(ValueError(text)) if made == "of" else Failure("failed", "E", text, text)
    assert await ledger.bury(job, failure, ()) is State.DEAD
    [kept] = await pool.fetch("SELECT message FROM job_attempts WHERE job_id = $1", job.id)
    assert kept["message"] == (await row(pool, job.id))["error"]
    assert "\0" not in kept["message"]
    assert kept["message"] != ""


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


class Unspeakable:
    """Something that cannot even be turned into text."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("value", [nested(100_000), Unspeakable()], ids=["deep", "unspeakable"])
async def test_what_cannot_be_stored_at_all_fails_its_own_job_only(
    pool: Pool, ledger: Ledger, value: object
) -> None:
    jobs = [await running(ledger) for _ in range(5)]
    results = [DONE, DONE, JobResult(True, "done", {"value": value}), DONE, DONE]
    ended = await asyncio.gather(
        *(ledger.complete(j, r, ()) for j, r in zip(jobs, results, strict=True)),
        return_exceptions=True,
    )
    assert [e for n, e in enumerate(ended) if n != 2] == [State.COMPLETED] * 4
    assert isinstance(ended[2], UNSTORABLE)
    assert await state_of(pool, jobs[2].id) is State.RUNNING


async def test_an_attempt_that_a_constraint_refuses_fails_alone(pool: Pool, ledger: Ledger) -> None:
    jobs = [await running(ledger) for _ in range(4)]
    odd = Failure("exploded", "E", "not an outcome that the history knows")
    ended = await asyncio.gather(
        *(ledger.bury(j, FAILURE if n != 1 else odd, ()) for n, j in enumerate(jobs)),
        return_exceptions=True,
    )
    assert [e for n, e in enumerate(ended) if n != 1] == [State.DEAD] * 3
    assert isinstance(ended[1], UNSTORABLE)
