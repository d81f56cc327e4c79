"""Replaying: the same messages once more, byte for byte, under the same ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically
from worker.errors import Conflict, NotFound
from worker.jobs.enqueueing import Ringing
from worker.jobs.model import NewJob
from worker.jobs.names import Time
from worker.jobs.paging import CursorId, Wanted, packed
from worker.jobs.planning import Planner, record
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import WebhookDelivery
from worker.jobs.views import View
from worker.outgoing.history import id_bounds, missing

SQL = queries.load(__file__)
MOST_AT_ONCE = 10_000
CHUNK = 500
_STATES = {
    "failed": ["failed"],
    "skipped": ["skipped"],
    "all": ["delivered", "failed", "skipped"],
}


class WantedReplay(Wanted, strict=True):
    """Which messages to send again, oldest first, at most so many a second.

    `failed` ones, those `skipped` while the endpoint was disabled, or `all`, delivered or not, made
    since a time. What is still under way is left alone. At most 10 000 a call: `next` of its answer
    is the `cursor` of the call that goes on.
    """

    since: Time
    until: Time | None = None
    what: Literal["failed", "skipped", "all"]
    rate_per_second: Annotated[float, Field(ge=0.001, le=100_000, allow_inf_nan=False)] | None = (
        None
    )
    cursor: CursorId | None = None


class ReplayedMessage(View):
    """The message's new job, or where `replayed` is false the one that is still under way."""

    message_id: UUID
    replayed: bool
    job_id: UUID


class Replayed(View):
    """How many messages go out again, and when the last of them does; `next` goes on after them."""

    replayed: int
    last_due_at: datetime | None
    next: str | None


@dataclass(frozen=True, slots=True)
class _Target:
    org_id: str
    endpoint_id: UUID
    now: datetime
    spacing: timedelta = timedelta()


class Replaying:
    """Sends again what an endpoint was sent. Raises NotFound, RecordUnavailable, and Conflict
    while the endpoint is disabled."""

    def __init__(self, pool: Pool, ringer: Ringing, planner: Planner) -> None:
        self._pool, self._ringer, self._planner = pool, ringer, planner

    async def one(self, org_id: str, endpoint_id: UUID, message_id: UUID) -> ReplayedMessage:
        """Send one message again, whatever became of it; nothing if it is still under way."""

        async def work(connection: Transaction) -> tuple[ReplayedMessage, list[Ring]]:
            to = await _target(connection, org_id, endpoint_id, None)
            jobs = await self._again(connection, to, [message_id], 0)
            if jobs:
                told = ReplayedMessage(message_id=message_id, replayed=True, job_id=jobs[0].id)
                return told, await record(connection, jobs)
            row = await connection.fetchrow(SQL.delivery, endpoint_id, message_id)
            if row is None:
                raise missing(endpoint_id, message_id)
            told = ReplayedMessage(message_id=message_id, replayed=False, job_id=row["job_id"])
            return told, []

        told, rings = await atomically(self._pool, work)
        self._ringer.ring(rings)
        return told

    async def many(self, org_id: str, endpoint_id: UUID, wanted: WantedReplay) -> Replayed:
        """Send many again, all or none. The times are recorded, so that the rate is kept."""

        async def work(connection: Transaction) -> tuple[Replayed, list[Ring]]:
            to = await _target(connection, org_id, endpoint_id, wanted.rate_per_second)
            picked = await _pick(connection, to, wanted)
            ids, rings, due = picked[:MOST_AT_ONCE], list[Ring](), list[datetime]()
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                jobs = await self._again(connection, to, chunk, start)
                rings += await record(connection, jobs)
                due += [job.run_at or to.now for job in jobs]
            following = packed(str(ids[-1])) if len(picked) > MOST_AT_ONCE else None
            last = max(due, default=None)
            return Replayed(replayed=len(due), last_due_at=last, next=following), rings

        told, rings = await atomically(self._pool, work)
        self._ringer.ring(rings)
        return told

    async def _again(
        self, connection: Transaction, to: _Target, ids: Sequence[UUID], position: int
    ) -> list[NewJob]:
        jobs = [self._job(to, i, position + n) for n, i in enumerate(ids)]
        rows = await connection.fetch(SQL.begin, to.endpoint_id, ids, [j.id for j in jobs])
        begun = {row["message_id"] for row in rows}
        return [job for i, job in zip(ids, jobs, strict=True) if i in begun]

    def _job(self, to: _Target, message_id: UUID, position: int) -> NewJob:
        payload = WebhookDelivery(
            org_id=to.org_id, endpoint_id=to.endpoint_id, message_id=message_id
        )
        job = self._planner.job(payload, run_at=to.now + position * to.spacing)
        job.dedupe_key = f"delivery:{to.endpoint_id}:{message_id}:{job.id}"
        return job


async def _target(
    connection: Transaction, org_id: str, endpoint_id: UUID, rate: float | None
) -> _Target:
    await connection.execute(SQL.one_at_a_time, endpoint_id)
    row = await connection.fetchrow(SQL.endpoint, org_id, endpoint_id)
    if row is None:
        raise NotFound(f"There is no endpoint {endpoint_id}.")
    if row["state"] == "disabled":
        raise Conflict(f"Endpoint {endpoint_id} is disabled: enable it first.")
    return _Target(org_id, endpoint_id, row["now"], timedelta(seconds=1 / rate if rate else 0))


async def _pick(connection: Transaction, to: _Target, wanted: WantedReplay) -> list[UUID]:
    rows = await connection.fetch(
        SQL.pick, to.endpoint_id, _STATES[wanted.what], wanted.since, wanted.until,
        *id_bounds(wanted.since, wanted.until), wanted.cursor, MOST_AT_ONCE + 1,
    )  # fmt: skip
    return [row["message_id"] for row in rows]
