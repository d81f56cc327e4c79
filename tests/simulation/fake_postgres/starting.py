"""The statements by which jobs come in and begin."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from tests.simulation.fake_postgres.record import (
    ENDED,
    SECOND,
    WAITING,
    Record,
    Row,
    as_time,
    interval,
    parsed,
    rows_of,
    statement,
)
from worker.jobs.model import NewJob

NEW_JOB = ("id", "queue", "kind", "payload", "max_attempts", "project_id", "org_id", "priority",
           "dedupe_key", "run_at", "delivery_id", "correlation_id", "concurrency_key",
           "traceparent", "lane", "lane_order")  # fmt: skip
EARLY = SECOND // 4


@statement("ledger.add")
def add(record: Record, *columns: Sequence[Any]) -> list[Row]:
    """New jobs."""
    return [{"id": n["id"]} for n in _planned(record, columns) if record.insert_job(**n)]


@statement("deliveries.accept")
def accept(
    record: Record, deliveries: Sequence[Row], bodies: bytes, jobs: Sequence[NewJob | Row]
) -> list[Row]:
    """Deliveries and their jobs."""
    fresh = []
    for given in deliveries:
        row = dict(given)
        start = row.pop("start") - 1
        body = bodies[start : start + row.pop("size")]
        if row["delivery_id"] not in record.deliveries:
            fresh.append(row["delivery_id"])
            record.deliveries[row["delivery_id"]] = row | {
                "body": body, "received_at": record.now, "processed": False, "processed_at": None,
                "retry_count": 0, "error_message": None, "closed_at": None,
            }  # fmt: skip
    for job in (j if isinstance(j, dict) else asdict(j) for j in jobs):
        if job["delivery_id"] in fresh:
            due = as_time(job["run_at"])
            record.insert_job(**job | {"run_at": record.now if due is None else due})
    return [{"delivery_id": d} for d in fresh]


@statement("deliveries.known")
def known(record: Record, ids: Sequence[str]) -> list[Row]:
    """What became of deliveries."""
    return [
        {
            "delivery_id": d, "jobs": record.deliveries[d]["jobs"],
            "ignored_reason": record.deliveries[d]["ignored_reason"],
            "dead": [j["id"] for j in record.of_delivery(d) if j["state"] == "dead"],
        }
        for d in ids if d in record.deliveries
    ]  # fmt: skip


def _planned(record: Record, columns: Sequence[Sequence[Any]]) -> list[Row]:
    jobs = [dict(zip(NEW_JOB, values, strict=True)) for values in rows_of(*columns)]
    for job in jobs:
        job["payload"] = parsed(job["payload"])
        due = as_time(job["run_at"])
        job["run_at"] = record.now if due is None else due
    return jobs


@statement("ledger.start")
def start(
    record: Record, ids: Sequence[UUID], tokens: Sequence[str], worker: str, kinds: Sequence[str]
) -> list[Row]:
    """Waiting jobs that are due."""
    answers = []
    for job_id, token in zip(ids, tokens, strict=True):
        job = record.jobs.get(job_id)
        if job is None or job["state"] not in WAITING or job["kind"] not in kinds:
            continue
        if job["run_at"] <= record.now + EARLY:
            record.change(
                job, state="running", worker=worker, claim=token, rung_at=None,
                attempt=job["attempt"] + 1, started_at=record.now, progress=0,
                progress_message=None,
            )  # fmt: skip
            answers.append(_started(record, job, "started", job["attempt"]))
    return answers


@statement("ledger.take_over")
def take_over(
    record: Record, ids: Sequence[UUID], tokens: Sequence[str], worker: str,
    kinds: Sequence[str], crashes_allowed: int, silence: float,
) -> list[Row]:  # fmt: skip
    """Lost answers again, and the jobs of lost workers."""
    answers = []
    for job_id, token in zip(ids, tokens, strict=True):
        job = record.jobs.get(job_id)
        if job is None or job["state"] in ENDED:
            continue
        lost = job["state"] == "running" and job["claim"] != token
        verdict = _verdict(record, job, lost, worker, kinds, crashes_allowed, silence)
        answers.append(_started(record, job, verdict, job["attempt"] + lost))
        if lost and verdict in ("started", "poison", "cancelled"):
            _crashed(record, job)
        if lost and verdict == "started":
            record.change(
                job, worker=worker, claim=token, rung_at=None, attempt=job["attempt"] + 1,
                crashes=job["crashes"] + 1, started_at=record.now, progress=0,
                progress_message=None,
            )  # fmt: skip
        elif verdict in ("poison", "cancelled"):
            _end(record, job, verdict, crashes_allowed)
    return answers


def _verdict(
    record: Record, job: Row, lost: bool, worker: str, kinds: Sequence[str],
    crashes_allowed: int, silence: float,
) -> str:  # fmt: skip
    owner = record.workers.get(job["worker"])
    alive = (
        owner is not None
        and owner["last_seen"] > record.now - interval(silence)
        and owner["id"] != worker
    )
    if lost and not alive and job["cancel_requested_at"] is not None:
        return "cancelled"
    if job["kind"] not in kinds:
        return "unknown_kind"
    if job["state"] != "running":
        return "early"
    if not lost:
        return "started"
    if alive:
        return "alive"
    return "poison" if job["crashes"] + 1 >= crashes_allowed else "started"


def _crashed(record: Record, job: Row) -> None:
    message = f"worker {job['worker']} stopped without finishing this attempt"
    record.note(
        job, job["attempt"], job["worker"], job["started_at"],
        outcome="crashed", error_type="WorkerLost", message=message, traceback=None,
    )  # fmt: skip


def _end(record: Record, job: Row, verdict: str, crashes_allowed: int) -> None:
    dead = verdict == "poison"
    error = f"this job stopped its worker {crashes_allowed} times" if dead else job["cancel_reason"]
    record.change(
        job, crashes=job["crashes"] + 1, worker=None, claim=None, finished_at=record.now,
        state="dead" if dead else "cancelled", error=error,
    )  # fmt: skip
    delivery = record.deliveries.get(job["delivery_id"])
    if delivery is not None:
        delivery["error_message"] = error
        delivery["retry_count"] += dead
    told = {"error": error, "attempt": job["attempt"]} if dead else {"reason": error}
    payload = {"jobId": str(job["id"]), **told}
    record.tell(job["project_id"], job["id"], f"job_{job['state']}", payload)


def _started(record: Record, job: Row, verdict: str, attempt: int) -> Row:
    return {
        **{n: job[n] for n in ("id", "queue", "kind", "payload")},
        "attempt": attempt,
        **{n: job[n] for n in ("failures", "max_attempts", "project_id", "delivery_id",
                               "correlation_id")},
        "waited": (record.now - job["run_at"]) / SECOND,
        "traceparent": job["traceparent"],
        "lane_order": job["lane_order"],
        "verdict": verdict,
        **record.enrolment(job["project_id"]),
    }  # fmt: skip
