"""Schedules as people see and change them. What fires them is in `firing`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from worker.database import queries
from worker.database.pool import Pool, fetch, unavailable_as_error
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.cron import MAX_LENGTH, Cron
from worker.jobs.enqueueing import Enqueued, Ringing, chosen_kind
from worker.jobs.names import KindName, QueueName
from worker.jobs.overview import ByName
from worker.jobs.paging import Wanted, page_of
from worker.jobs.payload_base import Payload
from worker.jobs.payloads import PAYLOADS, validate
from worker.jobs.queues import Queue
from worker.jobs.ring import Ring
from worker.jobs.states import State
from worker.jobs.ticks import make_jobs
from worker.jobs.timetable import Missed
from worker.jobs.views import Page, View
from worker.metrics import JOBS_ENQUEUED

SQL = queries.load(__file__)
TICKS_SHOWN = 20

ScheduleName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$"),
    Field(description="lower-case letters, digits, - and _"),
]
Description = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
CronText = Annotated[
    str,
    StringConstraints(max_length=MAX_LENGTH),
    Field(description="minute, hour, day of month, month, day of week; or @hourly, @daily, …"),
]
Zone = Annotated[
    str, StringConstraints(max_length=100), Field(description="such as UTC or Europe/Warsaw")
]
OfMissed = Annotated[
    Missed, Field(description="what of missed ticks is fired: every one, or only the latest")
]


class NewSchedule(Wanted, strict=True):
    """A schedule to add; `kind` is needed where a queue has several."""

    name: ScheduleName
    queue: QueueName
    cron: CronText
    kind: KindName | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    timezone: Zone = "UTC"
    missed: OfMissed = "skip"
    description: Description = ""
    enabled: bool = True


class ScheduleChange(Wanted, strict=True):
    """What to change of a schedule; of a built-in one only `enabled`."""

    enabled: bool | None = None
    cron: CronText | None = None
    timezone: Zone | None = None
    missed: OfMissed | None = None
    payload: dict[str, Any] | None = None
    description: Description | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "ScheduleChange":
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "give at least one thing to change")
        return self


class Schedule(View):
    """A schedule; `nextTick` is null while it is disabled."""

    name: str
    description: str
    built_in: bool
    enabled: bool
    queue: str
    kind: str
    payload: Any
    cron: str
    timezone: str
    missed: Missed
    last_tick: datetime | None
    next_tick: datetime | None
    created_at: datetime
    updated_at: datetime


class Tick(View):
    """A tick that was fired; `state` is null when its job was deleted."""

    tick: datetime
    by_hand: bool
    fired_at: datetime
    job_id: UUID
    state: State | None


class ScheduleWithTicks(Schedule):
    """A schedule with its latest ticks, newest first."""

    ticks: list[Tick]


class Schedules:
    """Lists, changes and runs schedules. Raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool, ringer: Ringing, queues: Mapping[str, Queue]) -> None:
        self._pool, self._ringer, self._queues = pool, ringer, queues

    async def page(self, wanted: ByName) -> Page[Schedule]:
        """A page of schedules, by name."""
        rows = await fetch(self._pool, SQL.page, wanted.cursor, wanted.limit + 1)
        return page_of([Schedule(**_shown(r)) for r in rows], wanted.limit, lambda s: s.name)

    async def get(self, name: str) -> ScheduleWithTicks:
        """One schedule. Raises NotFound."""
        rows = await fetch(self._pool, SQL.get, name)
        if not rows:
            raise _unknown(name)
        ticks = await fetch(self._pool, SQL.ticks, name, TICKS_SHOWN)
        return ScheduleWithTicks(**_shown(rows[0]), ticks=[Tick(**t) for t in ticks])

    async def create(self, wanted: NewSchedule) -> ScheduleWithTicks:
        """Add a schedule. Raises Conflict if the name is taken, InvalidInput naming each field."""
        queue = self._queues[wanted.queue]
        kind = chosen_kind(wanted.kind, queue)
        payload = _checked(PAYLOADS[kind], wanted.payload)
        cron = Cron(wanted.cron, wanted.timezone)
        rows = await fetch(
            self._pool, SQL.create, wanted.name, wanted.description, queue.name, kind, payload,
            wanted.cron, wanted.timezone, wanted.missed, wanted.enabled, await self._next(cron),
        )  # fmt: skip
        if not rows:
            raise Conflict(f"There is a schedule {wanted.name} already.")
        return await self.get(wanted.name)

    async def change(self, name: str, wanted: ScheduleChange) -> ScheduleWithTicks:
        """Change what is given. Raises NotFound, Conflict, or InvalidInput naming each field.

        A schedule that is enabled, or gets other times, begins with the next tick from now.
        """
        changes = {field: value for field, value in wanted if value is not None}
        async with self._locked(name) as (connection, row):
            _refuse_for_built_in(row, "changed", set(changes) - {"enabled"})
            new = dict(row) | changes
            if changes.keys() & {"enabled", "payload"} and (new["enabled"] or "payload" in changes):
                _, model = self._known(row)
                new["payload"] = _checked(model, new["payload"])
            await connection.execute(
                SQL.change, name, new["description"], new["payload"], new["cron"],
                new["timezone"], new["missed"], new["enabled"], _next_tick(row, new),
            )  # fmt: skip
        return await self.get(name)

    async def delete(self, name: str) -> ScheduleWithTicks:
        """Delete a schedule; answers what it was. Raises NotFound, Conflict if it is built in."""
        was = await self.get(name)
        async with self._locked(name) as (connection, row):
            _refuse_for_built_in(row, "deleted")
            await connection.execute(SQL.delete, name)
        return was

    async def run_now(self, name: str) -> Enqueued:
        """Add the schedule's job at once, enabled or not; its ticks stay. Raises NotFound."""
        async with self._locked(name) as (connection, row):
            queue, model = self._known(row)
            jobs = await make_jobs(connection, row, queue, model, [row["now"]], by_hand=True)
        if not jobs:
            raise Conflict(f"{name} was run at this very moment already.")
        JOBS_ENQUEUED.labels(queue.name).inc()
        self._ringer.ring([Ring.of(jobs[0])])
        return Enqueued(job_id=jobs[0].id, queue=queue.name, data=jobs[0].payload)

    async def _next(self, cron: Cron) -> datetime:
        [row] = await fetch(self._pool, SQL.now)
        return next(cron.after(row["now"]))

    def _known(self, row: asyncpg.Record) -> tuple[Queue, type[Payload]]:
        if row["queue"] not in self._queues or row["kind"] not in PAYLOADS:
            raise Conflict(f"This version has no queue {row['queue']} or no kind {row['kind']}.")
        return self._queues[row["queue"]], PAYLOADS[row["kind"]]

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[tuple[Any, asyncpg.Record]]:
        async with (
            unavailable_as_error(),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            row = await connection.fetchrow(SQL.lock, name)
            if row is None:
                raise _unknown(name)
            yield connection, row


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    next_tick = row["next_tick"] if row["enabled"] else None
    return dict(row) | {"built_in": row["edition"] is not None, "next_tick": next_tick}


def _next_tick(row: asyncpg.Record, new: dict[str, Any]) -> datetime:
    """It stays, unless the schedule gets other times or was out of service."""
    if all(new[field] == row[field] for field in ("cron", "timezone")) and (
        row["enabled"] or not new["enabled"]
    ):
        kept: datetime = row["next_tick"]
        return kept
    return next(Cron(new["cron"], new["timezone"]).after(row["now"]))


def _checked(model: type[Payload], payload: dict[str, Any]) -> dict[str, Any]:
    try:
        return validate(model, payload).wire()
    except InvalidInput as error:
        fields = {f"payload.{name}": text for name, text in error.fields.items()}
        raise InvalidInput("The schedule is not valid.", fields) from None


def _refuse_for_built_in(row: asyncpg.Record, done: str, fields: object = True) -> None:
    if row["edition"] is not None and fields:
        raise Conflict(
            f"{row['name']} is built in and cannot be {done}: "
            "disable it, and create one of your own."
        )


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no schedule {name!r:.200}.")
