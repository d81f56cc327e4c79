"""The statements about what operators set for queues, and what workers have to obey."""

from collections.abc import Sequence

from tests.simulation.fake_postgres.record import Record, Row, as_datetime, statement


@statement("presence.orders")
def orders(record: Record, worker: str) -> list[Row]:
    """What a worker has to obey."""
    controls = [
        {**control(c), "job_id": None, "attempt": None, "reason": None}
        for c in record.controls.values()
    ]
    nothing = dict.fromkeys(CONTROL)
    return controls + [
        {**nothing, "queue": j["queue"], "job_id": j["id"], "attempt": j["attempt"],
         "reason": j["cancel_reason"]}
        for j in record.jobs.values()
        if j["worker"] == worker and j["cancel_requested_at"] is not None
    ]  # fmt: skip


CONTROL = ("queue", "paused_at", "paused_reason", "concurrency", "per_key", "per_organisation",
           "rate_count", "rate_seconds", "updated_at")  # fmt: skip


def control(row: Row) -> Row:
    """A queue's control as it is answered."""
    times = ("paused_at", "updated_at")
    return {n: as_datetime(row[n]) if n in times and row[n] else row[n] for n in CONTROL}


@statement("queue_controls.pause")
def pause(record: Record, queue: str, reason: str | None) -> list[Row]:
    """A queue starts nothing."""
    row = _controlled(record, queue)
    row.update(paused_at=row["paused_at"] or record.now, paused_reason=reason)
    return [control(row)]


@statement("queue_controls.resume")
def resume(record: Record, queue: str) -> list[Row]:
    """A queue goes on."""
    row = _controlled(record, queue)
    row.update(paused_at=None, paused_reason=None)
    return [control(row)]


@statement("queue_controls.resize")
def resize(record: Record, queue: str, names: Sequence[str], *numbers: float | None) -> list[Row]:
    """A queue's numbers change."""
    new = queue not in record.controls
    row = _controlled(record, queue)
    given = dict(zip(CONTROL[3:8], numbers, strict=True))
    named = {"rate_count": "rate", "rate_seconds": "rate"}
    row.update({n: v for n, v in given.items() if new or named.get(n, n) in names})
    return [control(row)]


def _controlled(record: Record, queue: str) -> Row:
    row = record.controls.setdefault(queue, dict.fromkeys(CONTROL) | {"queue": queue})
    row["updated_at"] = record.now
    return row
