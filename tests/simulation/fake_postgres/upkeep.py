"""The statements of the loops: signs of life, rings, events, gauges and retention."""

from collections.abc import Sequence
from uuid import UUID

from tests.simulation.fake_postgres.ending import ring_row
from tests.simulation.fake_postgres.record import (
    SECOND,
    WAITING,
    Record,
    Row,
    as_datetime,
    interval,
    statement,
)

DAY = 86_400 * SECOND


@statement("presence.beat")
def beat(
    record: Record, worker: str, host: str, pid: int, queues: list[str], running: int,
    kinds: list[str],
) -> list[Row]:  # fmt: skip
    """A worker lives."""
    row = record.workers.get(worker)
    if row is None:
        record.workers[worker] = {
            "id": worker, "host": host, "pid": pid, "queues": queues, "running": running,
            "kinds": kinds, "started_at": record.now, "last_seen": record.now,
            "last_heartbeat": None,
        }  # fmt: skip
    else:
        row.update(last_seen=record.now, running=running)
    return []


@statement("presence.stamp_heartbeat")
def stamp_heartbeat(record: Record, worker: str) -> list[Row]:
    """A worker's slow sign of life."""
    if worker in record.workers:
        record.workers[worker]["last_heartbeat"] = record.now
    return []


@statement("presence.farewell")
def farewell(record: Record, worker: str) -> list[Row]:
    """A worker leaves."""
    record.workers.pop(worker, None)
    return []


@statement("upkeep.forget_silent_workers")
def forget_silent_workers(record: Record) -> list[Row]:
    """Workers that were never heard of again."""
    busy = {j["worker"] for j in record.jobs.values() if j["state"] == "running"}
    for worker, row in [*record.workers.items()]:
        if row["last_seen"] < record.now - DAY and worker not in busy:
            del record.workers[worker]
    return []


@statement("presence.held")
def held_by(record: Record, worker: str) -> list[Row]:
    """What a worker runs."""
    return [
        {"id": j["id"], "attempt": j["attempt"], **ring_row(j)}
        for j in record.jobs.values()
        if j["worker"] == worker and j["state"] == "running"
    ]


@statement("upkeep.pick_unrung")
def pick_unrung(record: Record, limit: int) -> list[Row]:
    """Due jobs that nobody rang lately."""
    due = [
        j
        for j in record.jobs.values()
        if j["state"] in WAITING
        and j["run_at"] < record.now - SECOND
        and (j["rung_at"] is None or j["rung_at"] < record.now - 30 * SECOND)
    ]
    due = sorted(due, key=lambda j: j["run_at"])[:limit]
    return _rung(record, due, record.now - 25 * SECOND)


@statement("upkeep.rang")
def rang(record: Record, ids: Sequence[UUID]) -> list[Row]:
    """Waiting jobs were rung."""
    for job in [record.jobs[i] for i in dict.fromkeys(ids) if i in record.jobs]:
        if job["state"] in WAITING:
            record.change(job, rung_at=record.now)
    return []


@statement("upkeep.pick_abandoned")
def pick_abandoned(record: Record, silence: float, limit: int) -> list[Row]:
    """Running jobs of silent workers."""

    def silent(job: Row) -> bool:
        owner = record.workers.get(job["worker"])
        return owner is None or owner["last_seen"] < record.now - interval(silence)

    abandoned = [
        j
        for j in record.jobs.values()
        if j["state"] == "running"
        and (j["rung_at"] is None or j["rung_at"] < record.now - 5 * SECOND)
        and silent(j)
    ]
    return _rung(record, abandoned[:limit], record.now)


def _rung(record: Record, jobs: Sequence[Row], at: int) -> list[Row]:
    for job in jobs:
        record.change(job, rung_at=at)
    return [{**ring_row(j), "run_at_ms": j["run_at"] / 1000} for j in jobs]


@statement("upkeep.forget_rings")
def forget_rings(record: Record) -> list[Row]:
    """Every ring is void."""
    for job in record.jobs.values():
        if job["state"] in WAITING and job["rung_at"] is not None:
            record.change(job, rung_at=None)
    return []


@statement("upkeep.counts")
def counts(record: Record) -> list[Row]:
    """How many jobs each queue has in which status."""
    found: dict[tuple[str, str], list[Row]] = {}
    for job in record.jobs.values():
        status = _status(record, job)
        if status is not None:
            found.setdefault((job["queue"], status), []).append(job)
    return [
        {"queue": queue, "status": status, "jobs": len(jobs), "oldest": _oldest(record, jobs)}
        for (queue, status), jobs in found.items()
    ]


def _status(record: Record, job: Row) -> str | None:
    if job["state"] in WAITING:
        return "scheduled" if job["run_at"] > record.now else "queued"
    return {"running": "in_progress", "dead": "dead"}.get(job["state"])


def _oldest(record: Record, jobs: Sequence[Row]) -> float | None:
    waits = [(record.now - j["run_at"]) / SECOND for j in jobs if j["state"] in WAITING]
    return max(waits, default=None)


@statement("upkeep.prune")
def prune(
    record: Record, queue: str, states: Sequence[str], count: int, age: float | None
) -> list[Row]:
    """Ended jobs beyond what is kept."""
    ended = [j for j in record.jobs.values() if j["queue"] == queue and j["state"] in states]
    ended.sort(key=lambda j: j["finished_at"])
    newest = ended[-count]["finished_at"] if len(ended) >= count else None
    for job in ended:
        surplus = newest is not None and job["finished_at"] < newest
        old = age is not None and job["finished_at"] < record.now - interval(age)
        if surplus or old:
            record.delete_job(job)
            _close(record, job["delivery_id"])
    return []


def _close(record: Record, delivery_id: str | None) -> None:
    delivery = record.deliveries.get(delivery_id)
    if delivery is not None and not delivery["processed"] and delivery["closed_at"] is None:
        delivery["closed_at"] = record.now


@statement("upkeep.prune_events")
def prune_events(record: Record) -> list[Row]:
    """Events that went out long ago."""
    for event in [*record.events.values()]:
        if event["published_at"] is not None and event["published_at"] < record.now - 7 * DAY:
            del record.events[event["id"]]
    return []


@statement("events.publishable")
def publishable(record: Record, seconds: float, limit: int) -> list[Row]:
    """Events that may not have gone out."""
    overdue = [
        e
        for e in record.events.values()
        if e["published_at"] is None and e["created_at"] < record.now - interval(seconds)
    ]
    overdue.sort(key=lambda e: (e["created_at"], e["id"]))
    names = ("id", "project_id", "event", "payload")
    return [
        {**{n: e[n] for n in names}, "created_at": as_datetime(e["created_at"])}
        for e in overdue[:limit]
    ]


@statement("events.mark_published")
def mark_published(record: Record, ids: Sequence[UUID]) -> list[Row]:
    """Events that went out."""
    for event_id in ids:
        event = record.events.get(event_id)
        if event is not None and event["published_at"] is None:
            event["published_at"] = record.now
    return []
