"""The statements that act on jobs from outside, and those that tell of running ones."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from tests.simulation.fake_postgres.ending import DONE
from tests.simulation.fake_postgres.record import (
    WAITING,
    Record,
    Row,
    as_datetime,
    parsed,
    rows_of,
    statement,
)


@statement("cancelling.cancel")
def cancel(record: Record, ids: Sequence[UUID], reason: str) -> list[Row]:
    """Waiting jobs end, running ones are asked to."""
    answers = []
    for job in [record.jobs[i] for i in sorted(set(ids)) if i in record.jobs]:
        before = job["state"]
        event = None
        if before in WAITING:
            event = _cancel_waiting(record, job, reason)
        elif before == "running" and job["cancel_requested_at"] is None:
            record.change(job, cancel_requested_at=record.now, cancel_reason=reason)
        answers.append(
            {
                "id": job["id"], "queue": job["queue"], "state": before,
                "delivery_id": job["delivery_id"] if before in WAITING else None,
                **told(event, named=False),
            }
        )  # fmt: skip
    return answers


def _cancel_waiting(record: Record, job: Row, reason: str) -> Row | None:
    record.change(
        job, state="cancelled", finished_at=record.now, error=reason,
        result={"success": False, "message": "cancelled", "error": reason},
        cancel_requested_at=record.now, cancel_reason=reason,
    )  # fmt: skip
    delivery = record.deliveries.get(job["delivery_id"])
    if delivery is not None:
        delivery["error_message"] = reason
    payload = {"jobId": str(job["id"]), "reason": reason}
    return record.tell(job["project_id"], job["id"], "job_cancelled", payload)


def told(event: Row | None, *, named: bool = True) -> Row:
    """An event that a statement inserted, as it answers it, with or without its name."""
    names = ("event_id", "project_id", *(["event"] if named else []), "payload", "created_at")
    if event is None:
        return dict.fromkeys(names)
    known = event | {"event_id": event["id"], "created_at": as_datetime(event["created_at"])}
    return {n: known[n] for n in names}


@statement("superseding.supersede")
def supersede(record: Record, lanes: Sequence[str], limit: int) -> list[Row]:
    """Of each lane only the newest goes on waiting, as far as the limit goes."""
    waiting = (
        (job, newest["id"])
        for newest, behind in _lanes(record, lanes)
        for job in behind
        if job["state"] in WAITING
    )
    moved = [_supersede(record, job, newer) for job, newer in islice(waiting, limit)]
    done = [d for d in {m["unprocessed"] for m in moved} if _superseded_delivery(record, d)]
    return [m | {"unprocessed": None} if m["unprocessed"] in done else m for m in moved]


def _superseded_delivery(record: Record, delivery_id: str | None) -> bool:
    delivery = record.deliveries.get(delivery_id)
    if delivery is None or any(j["state"] not in DONE for j in record.of_delivery(delivery_id)):
        return False
    at = delivery["processed_at"] or record.now
    delivery.update(processed=True, processed_at=at, error_message=None)
    return True


@statement("superseding.overtaken")
def overtaken(record: Record, lanes: Sequence[str], queues: Sequence[str]) -> list[Row]:
    """Running jobs with a newer one in their lane."""
    return [
        {"id": job["id"], "newer": newest["id"]}
        for newest, behind in _lanes(record, lanes)
        for job in behind
        if job["state"] == "running"
        and job["queue"] in queues
        and job["cancel_requested_at"] is None
    ]


def _lanes(record: Record, lanes: Sequence[str]) -> Iterator[tuple[Row, list[Row]]]:
    """Of each lane the newest job that is wanted, and the live ones behind it."""
    for lane in lanes:
        live = [
            j
            for j in record.jobs.values()
            if j["lane"] == lane and j["lane_order"] is not None and j["finished_at"] is None
        ]
        wanted = [j for j in live if j["cancel_requested_at"] is None]
        if wanted:
            newest = max(wanted, key=lambda j: j["lane_order"])
            yield newest, [j for j in live if j["lane_order"] < newest["lane_order"]]


def _supersede(record: Record, job: Row, newer: UUID) -> Row:
    record.change(
        job, state="superseded", superseded_by=newer, finished_at=record.now, rung_at=None
    )
    payload = {"jobId": str(job["id"]), "supersededBy": str(newer)}
    event = record.tell(job["project_id"], job["id"], "job_superseded", payload)
    answer = {"id": job["id"], "queue": job["queue"], "superseded_by": newer, **told(event)}
    return answer | {"unprocessed": job["delivery_id"]}


@statement("sla.flag")
def flag(
    record: Record, ids: Sequence[UUID], attempts: Sequence[int], *events: Sequence[Any]
) -> list[Row]:
    """Attempts that took too long, each job once."""
    flagged = []
    for job_id, attempt in zip(ids, attempts, strict=True):
        job = record.jobs.get(job_id)
        if job is None or job["attempt"] != attempt or not job["worker"]:
            continue
        if job["sla_breached_at"] is None:
            record.change(job, sla_breached_at=record.now)
            flagged.append(job_id)
    for event_id, project_id, job_id, payload in rows_of(*events):
        if job_id in flagged:
            record.tell(project_id, job_id, "job_sla_breached", parsed(payload), event_id)
    return [{"id": i} for i in flagged]


@statement("progress.save")
def save_progress(
    record: Record, ids: Sequence[UUID], attempts: Sequence[int], percents: Sequence[int],
    messages: Sequence[str | None],
) -> list[Row]:  # fmt: skip
    """How far attempts have come."""
    saved = []
    for job_id, attempt, percent, message in rows_of(ids, attempts, percents, messages):
        job = record.jobs.get(job_id)
        if job is not None and job["attempt"] == attempt and job["worker"]:
            record.change(job, progress=percent, progress_message=message)
            saved.append({"id": job_id, "attempt": attempt})
    return saved
