"""From ticks to jobs: which ticks of a schedule are due, and the job of each, recorded as one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

import asyncpg

from worker.database import queries
from worker.jobs import ledger
from worker.jobs.cron import Cron
from worker.jobs.model import NewJob
from worker.jobs.payload_base import OrganisationPayload, Payload, ProjectPayload
from worker.jobs.payloads import concurrency_key, validate
from worker.jobs.queues import Queue
from worker.jobs.rows import add_arguments
from worker.jobs.trace import new_traceparent

SQL = queries.load(__file__)
LEDGER_SQL = queries.load(ledger.__file__)
# How many missed ticks are caught up in one transaction.
MOST_TICKS = 1000
_INSTANT = timedelta(microseconds=1)


def due(cron: Cron, missed: str, since: datetime, now: datetime) -> tuple[list[datetime], datetime]:
    """The ticks to fire of those from `since` to `now`, and the tick that comes after them.

    `catch_up` fires every one, oldest first, a thousand at a time; `skip` only the latest.
    """
    if missed == "skip":
        latest = cron.latest(now)
        return [latest] if latest >= since else [], next(cron.after(now))
    passed = takewhile(lambda tick: tick <= now, cron.after(since - _INSTANT))
    ticks = list(islice(passed, MOST_TICKS))
    return ticks, next(cron.after(ticks[-1] if ticks else now))


async def make_jobs(
    connection: Any,
    schedule: asyncpg.Record,
    queue: Queue,
    model: type[Payload],
    ticks: Sequence[datetime],
    *,
    by_hand: bool = False,
) -> list[NewJob]:
    """Record ticks and the job of each; answers the jobs of those never fired before.

    Needs a transaction. Raises InvalidInput if the schedule's payload does not fit the kind.
    """
    told = "tick" in model.model_fields and not by_hand
    documents = [schedule["payload"] | ({"tick": t} if told else {}) for t in ticks]
    payloads = [validate(model, d) for d in documents]
    owner = await _organisation(connection, payloads)
    jobs = {
        tick: _job(schedule, queue, payload, tick, owner)
        for tick, payload in zip(ticks, payloads, strict=True)
    }
    ids = [job.id for job in jobs.values()]
    fresh = await connection.fetch(SQL.record, schedule["name"], list(jobs), ids, by_hand)
    wanted = [jobs[row["tick"]] for row in fresh]
    added = await connection.fetch(LEDGER_SQL.add, *add_arguments(wanted))
    known = {row["id"] for row in added}
    return [job for job in wanted if job.id in known]


async def _organisation(connection: Any, payloads: Sequence[Payload]) -> str | None:
    match payloads:
        case [OrganisationPayload() as payload, *_]:
            return payload.org_id
        case [ProjectPayload() as payload, *_]:
            owner: str | None = await connection.fetchval(SQL.owner, payload.project_id)
            return owner
        case _:
            return None


def _job(
    schedule: asyncpg.Record, queue: Queue, payload: Payload, tick: datetime, owner: str | None
) -> NewJob:
    key = f"schedule:{schedule['name']}:{tick.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return NewJob(
        queue=queue.name,
        kind=schedule["kind"],
        payload=payload.wire(),
        max_attempts=queue.attempts,
        project_id=payload.project_id if isinstance(payload, ProjectPayload) else None,
        org_id=owner,
        dedupe_key=key,
        correlation_id=key,
        concurrency_key=concurrency_key(payload),
        traceparent=new_traceparent(None),
    )
