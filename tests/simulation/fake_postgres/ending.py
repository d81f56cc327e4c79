"""The statements by which attempts end, and dead jobs wait again."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from tests.simulation.fake_postgres.record import (
    Record,
    Row,
    as_datetime,
    interval,
    parsed,
    rows_of,
    statement,
)

DONE = ("completed", "cancelled", "superseded")


@statement("ledger.finish")
def finish(record: Record, *columns: Sequence[Any]) -> list[Row]:
    """Attempts that end or are rescheduled, fenced."""
    moved = [
        _finish(record, job, wanted, delay, failed, parsed(result), error)
        for job, wanted, delay, failed, result, error in _fenced(record, columns[:7])
    ]
    by_id = {m["id"]: m for m in moved}
    for job_id, worker, outcome, error_type, message, traceback in rows_of(*columns[7:13]):
        if job_id in by_id:
            m = by_id[job_id]
            record.note(
                m, m["attempt"], worker, m["started_at"],
                outcome=outcome, error_type=error_type, message=message, traceback=traceback,
            )  # fmt: skip
    _tell(record, by_id, columns[13:])
    done = _mark(record, moved)
    return [
        {"id": m["id"], "state": m["state"], "unprocessed": _unprocessed(m, done)} for m in moved
    ]


def _fenced(record: Record, columns: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    for job_id, attempt, *rest in rows_of(*columns):
        job = record.jobs.get(job_id)
        if job is not None and job["attempt"] == attempt and job["worker"]:
            yield (job, *rest)


def _finish(
    record: Record, job: Row, wanted: str, delay: float | None, failed: int, result: Any,
    error: str | None,
) -> Row:  # fmt: skip
    requested = job["cancel_requested_at"] is not None
    kept = wanted in ("completed", "cancelled") or not requested
    reason = job["cancel_reason"]
    cancelled = {"success": False, "message": "cancelled", "error": reason}
    moved = {
        "id": job["id"], "attempt": job["attempt"], "state": wanted if kept else "cancelled",
        "wanted": wanted, "project_id": job["project_id"], "delivery_id": job["delivery_id"],
        "error": error if kept else reason, "started_at": job["started_at"], "failed": failed,
    }  # fmt: skip
    record.change(
        job, state=moved["state"], error=moved["error"], result=result if kept else cancelled,
        failures=job["failures"] + failed, worker=None, claim=None,
        run_at=job["run_at"] if delay is None else record.now + interval(delay),
        progress=100 if wanted == "completed" else job["progress"],
        finished_at=record.now if delay is None or requested else None,
    )  # fmt: skip
    return moved


def _tell(record: Record, moved: dict[UUID, Row], columns: Sequence[Sequence[Any]]) -> None:
    for event_id, project_id, job_id, event, payload in rows_of(*columns):
        if job_id in moved and moved[job_id]["state"] == moved[job_id]["wanted"]:
            record.tell(project_id, job_id, event, parsed(payload), event_id)
    for m in moved.values():
        if m["state"] != m["wanted"]:
            payload = {"jobId": str(m["id"]), "reason": m["error"]}
            record.tell(m["project_id"], m["id"], "job_cancelled", payload)


def _mark(record: Record, moved: Sequence[Row]) -> dict[str, bool]:
    done = {}
    for delivery_id in {m["delivery_id"]: None for m in moved if m["delivery_id"] is not None}:
        mine = sorted((m for m in moved if m["delivery_id"] == delivery_id), key=lambda m: m["id"])
        ids = [m["id"] for m in mine]
        others = [j for j in record.of_delivery(delivery_id) if j["id"] not in ids]
        finished = all(m["state"] in DONE[:2] for m in mine)
        done[delivery_id] = finished and all(j["state"] in DONE for j in others)
        if delivery_id in record.deliveries:
            _mark_one(record, record.deliveries[delivery_id], mine, done[delivery_id])
    return done


def _mark_one(record: Record, delivery: Row, moved: Sequence[Row], done: bool) -> None:
    error = next((m["error"] for m in moved if m["error"] is not None), None)
    delivery["retry_count"] += sum(m["failed"] for m in moved)
    if done:
        delivery["processed"] = True
        delivery["processed_at"] = delivery["processed_at"] or record.now
        delivery["error_message"] = error
    elif error is not None:
        delivery["error_message"] = error


def _unprocessed(moved: Row, done: dict[str, bool]) -> str | None:
    delivery_id: str | None = moved["delivery_id"]
    if delivery_id is None or moved["state"] not in DONE[:2] or done[delivery_id]:
        return None
    return delivery_id


@statement("processed.mark_processed")
def mark_processed(record: Record, ids: Sequence[str]) -> list[Row]:
    """Deliveries that are done with."""
    for delivery_id in dict.fromkeys(ids):
        delivery = record.deliveries.get(delivery_id)
        jobs = record.of_delivery(delivery_id)
        if delivery is None or delivery["processed"] or any(j["state"] not in DONE for j in jobs):
            continue
        error = next((j["error"] for j in jobs if j["error"] is not None), None)
        delivery.update(processed=True, processed_at=record.now, error_message=error)
    return []


@statement("ledger.retry")
def retry(record: Record, ids: Sequence[UUID], first: float, spacing: float) -> list[Row]:
    """Dead jobs wait again, one after the other."""
    answers = []
    for job in [record.jobs[i] for i in dict.fromkeys(ids) if i in record.jobs]:
        if job["state"] != "dead":
            continue
        record.change(
            job, state="queued", failures=0, crashes=0, rung_at=None, finished_at=None,
            run_at=record.now + interval(first + spacing * ids.index(job["id"])), error=None,
            result=None, progress=0, progress_message=None, cancel_requested_at=None,
            cancel_reason=None, sla_breached_at=None,
        )  # fmt: skip
        answers.append({**ring_row(job), "run_at": as_datetime(job["run_at"])})
    return answers


def ring_row(job: Row) -> Row:
    """What a bell needs to know."""
    names = ("id", "queue", "priority", "org_id", "project_id", "concurrency_key")
    return {n: job[n] for n in names}
