"""The statements that fire schedules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.simulation.fake_postgres.record import (
    SECOND,
    Record,
    Row,
    as_datetime,
    as_time,
    statement,
)

TIMES = ("next_tick", "created_at", "updated_at")


def _served(record: Record, queues: Sequence[str], kinds: Sequence[str]) -> list[Row]:
    return [
        s
        for s in record.schedules.values()
        if s["enabled"] and s["queue"] in queues and s["kind"] in kinds
    ]


@statement("firing.seconds_until_due")
def seconds_until_due(record: Record, queues: Sequence[str], kinds: Sequence[str]) -> list[Row]:
    """How long until the next tick."""
    ticks = [s["next_tick"] for s in _served(record, queues, kinds)]
    return [{"seconds": (min(ticks) - record.now) / SECOND if ticks else float("inf")}]


@statement("firing.let_go")
def let_go(record: Record, timeout: str) -> list[Row]:
    """The server ends this transaction if it stands still; see IDLE_SECONDS."""
    return [{"set_config": timeout}]


@statement("firing.lock_due")
def lock_due(
    record: Record, queues: Sequence[str], kinds: Sequence[str], now: datetime | None
) -> list[Row]:
    """The schedule that has been due for longest and that nobody else has locked."""
    until = record.now if now is None else as_time(now)
    due = [
        s
        for s in _served(record, queues, kinds)
        if s["next_tick"] <= until and record.may_lock(s["name"])
    ]
    if not due:
        return []
    schedule = min(due, key=lambda s: s["next_tick"])
    record.lock(schedule["name"])
    times = {n: as_datetime(schedule[n]) for n in TIMES}
    return [schedule | times | {"now": as_datetime(until or 0)}]


@statement("firing.advance")
def advance(record: Record, name: str, following: datetime) -> list[Row]:
    """A schedule's next tick."""
    if name in record.schedules:
        record.schedules[name]["next_tick"] = as_time(following)
    return []


@statement("firing.disable")
def disable(record: Record, name: str) -> list[Row]:
    """A schedule fires no more."""
    if name in record.schedules:
        record.schedules[name].update(enabled=False, updated_at=record.now)
    return []


@statement("ticks.record")
def record_ticks(
    record: Record, schedule: str, ticks: Sequence[datetime], ids: Sequence[UUID], by_hand: bool
) -> list[Row]:
    """Ticks and their jobs, each tick once."""
    fresh = []
    for tick, job_id in zip(ticks, ids, strict=True):
        key = (schedule, as_time(tick))
        if key not in record.ticks:
            fresh.append({"tick": tick})
            record.ticks[key] = {
                "schedule": schedule, "tick": key[1], "job_id": job_id, "by_hand": by_hand,
                "fired_at": record.now,
            }  # fmt: skip
    return fresh


def new_schedule(record: Record, **values: Any) -> None:
    """Insert a schedule."""
    record.schedules[values["name"]] = {
        "name": "", "description": "", "queue": "", "kind": "", "payload": {}, "cron": "",
        "timezone": "UTC", "missed": "skip", "enabled": True, "next_tick": record.now,
        "edition": None, "enabled_by_default": None, "created_at": record.now,
        "updated_at": record.now, **values,
    }  # fmt: skip
