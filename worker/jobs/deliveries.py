"""Accepting deliveries: the row and its jobs in one committed statement, or neither."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import TRY_AGAIN, Pool, unavailable_as_error
from worker.jobs import ledger
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.ring import Ring
from worker.jobs.rows import add_arguments

SQL = queries.load(__file__)
LEDGER_SQL = queries.load(ledger.__file__)


@dataclass(slots=True)
class Arrival:
    """A delivery and what it asks for: jobs, or the reason why there are none.

    `planned` is what is answered of the jobs: `[{"id", "queue"}]`.
    """

    delivery_id: str
    event: str
    body: bytes
    headers: dict[str, str]
    action: str | None = None
    repository: str | None = None
    repository_id: int | None = None
    project_id: UUID | None = None
    ref: str | None = None
    ignored_reason: str | None = None
    traceparent: str | None = None
    jobs: tuple[NewJob, ...] = ()
    planned: list[dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.planned = [{"id": str(j.id), "queue": j.queue} for j in self.jobs]


@dataclass(slots=True)
class Acceptance:
    """What the record says of a delivery. `to_ring` are its jobs that may start now."""

    jobs: list[dict[str, str]]
    ignored_reason: str | None
    duplicate: bool = False
    to_ring: list[Ring] = field(default_factory=list)


class Deliveries:
    """Accepts deliveries, and knows those accepted before."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ledger = Ledger(pool)

    async def accept(self, arrivals: Sequence[Arrival]) -> list[Acceptance]:
        """Record deliveries in one statement. When this returns they are committed.

        A delivery seen before keeps its first jobs; those that are dead are queued again. Raises
        RecordUnavailable when Postgres is away, and one of UNSTORABLE when it refuses a value: then
        nothing of any of them was promised.
        """
        async with unavailable_as_error():
            return await self._accept(arrivals)

    async def _accept(self, arrivals: Sequence[Arrival]) -> list[Acceptance]:
        # In one order everywhere, so that two processes with the same deliveries cannot deadlock.
        first = {a.delivery_id: a for a in reversed(arrivals)}
        ordered = [first[i] for i in sorted(first)]
        fresh = await self._insert(ordered)
        known = await self._known([a for a in ordered if a.delivery_id not in fresh])
        answers = {i: _accepted(first[i]) for i in fresh} | known
        return [_as_seen_by(a, first[a.delivery_id], answers[a.delivery_id]) for a in arrivals]

    async def _insert(self, arrivals: Sequence[Arrival]) -> set[str]:
        starts = accumulate((len(a.body) for a in arrivals), initial=1)
        rows = [_row(a, start) for a, start in zip(arrivals, starts, strict=False)]
        jobs = [_job(j) for a in arrivals for j in a.jobs]
        # In one piece, as an array of them would be copied once more: a body may have 25 MB.
        bodies = b"".join([a.body for a in arrivals])
        return {r["delivery_id"] for r in await self._fetch(SQL.accept, rows, bodies, jobs)}

    async def _known(self, arrivals: Sequence[Arrival]) -> dict[str, Acceptance]:
        if not arrivals:
            return {}
        ids = [a.delivery_id for a in arrivals]
        found = {r["delivery_id"]: r for r in await self._fetch(SQL.known, ids)}
        return {a.delivery_id: await self._again(a, found[a.delivery_id]) for a in arrivals}

    async def _again(self, arrival: Arrival, row: asyncpg.Record) -> Acceptance:
        if not row["jobs"] and arrival.jobs:
            if await self._adopt(arrival):
                return _accepted(arrival)
            [row] = await self._fetch(SQL.known, [arrival.delivery_id])
        rows = await self._ledger.retry_dead(row["dead"]) if row["dead"] else []
        rings = [Ring.of_row(r) for r in rows]
        return Acceptance(row["jobs"], row["ignored_reason"], True, rings)

    async def _adopt(self, arrival: Arrival) -> bool:
        """The repository was enrolled since: a redelivery now runs what it asks for."""
        async with self._pool.acquire() as connection, connection.transaction():
            adopted = await connection.fetchval(
                SQL.adopt, arrival.delivery_id, arrival.planned, arrival.project_id
            )
            if adopted is not None:
                await connection.fetch(LEDGER_SQL.add, *add_arguments(arrival.jobs))
            return adopted is not None

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        while True:
            try:
                return await self._pool.fetch(sql, *arguments)
            except TRY_AGAIN:
                continue


def _row(arrival: Arrival, start: int) -> dict[str, Any]:
    return {
        "start": start,
        "size": len(arrival.body),
        "delivery_id": arrival.delivery_id,
        "event": arrival.event,
        "action": arrival.action,
        "repository": arrival.repository,
        "repository_id": arrival.repository_id,
        "project_id": arrival.project_id,
        "ref": arrival.ref,
        "headers": arrival.headers,
        "jobs": arrival.planned,
        "ignored_reason": arrival.ignored_reason,
        "traceparent": arrival.traceparent,
    }


def _job(job: NewJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "queue": job.queue,
        "kind": job.kind,
        "payload": job.payload,
        "max_attempts": job.max_attempts,
        "project_id": job.project_id,
        "org_id": job.org_id,
        "priority": job.priority,
        "dedupe_key": job.dedupe_key,
        "run_at": job.run_at,
        "delivery_id": job.delivery_id,
        "correlation_id": job.correlation_id,
        "concurrency_key": job.concurrency_key,
        "traceparent": job.traceparent,
        "lane": job.lane,
        "lane_order": job.lane_order,
    }


def _accepted(arrival: Arrival) -> Acceptance:
    rings = [Ring.of(j) for j in arrival.jobs]
    return Acceptance(arrival.planned, arrival.ignored_reason, False, rings)


def _as_seen_by(arrival: Arrival, first: Arrival, answer: Acceptance) -> Acceptance:
    if first is arrival:
        return answer
    return Acceptance(answer.jobs, answer.ignored_reason, True)
