"""Pausing, resuming and resizing queues at run time; kept in Postgres, obeyed by every worker."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from math import isfinite
from typing import Any, Literal

import asyncpg
from redis.asyncio import Redis

from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.errors import InvalidInput, NotFound
from worker.jobs.queues import QUEUES, Queue, Rate
from worker.jobs.signals import QUEUES_CHANGED, signal

SQL = queries.load(__file__)
LARGEST = 1_000_000
LONGEST_SECONDS = 86_400.0


class Keep(Enum):
    """The answer to "set it to what?": leave it as it is."""

    KEEP = "keep"


KEEP = Keep.KEEP
Number = int | Literal[Keep.KEEP] | None


@dataclass(frozen=True, slots=True)
class Control:
    """What was set by hand for a queue. None: as the policy table says."""

    queue: str
    paused_at: datetime | None = None
    paused_reason: str | None = None
    concurrency: int | None = None
    per_key: int | None = None
    per_organisation: int | None = None
    rate: Rate | None = None
    updated_at: datetime | None = None

    @classmethod
    def of_row(cls, row: asyncpg.Record) -> "Control":
        """From the columns of `queue_controls`."""
        rate = None if row["rate_count"] is None else Rate(row["rate_count"], row["rate_seconds"])
        return cls(
            row["queue"], row["paused_at"], row["paused_reason"], row["concurrency"],
            row["per_key"], row["per_organisation"], rate, row["updated_at"],
        )  # fmt: skip

    @property
    def paused(self) -> bool:
        """Whether nothing of the queue may be claimed."""
        return self.paused_at is not None

    def applied_to(self, policy: Queue) -> Queue:
        """The policy as it holds at the moment."""
        names = ("concurrency", "per_key", "per_organisation", "rate")
        given: dict[str, Any] = {n: v for n in names if (v := getattr(self, n)) is not None}
        return replace(policy, **given)


@dataclass(frozen=True, slots=True)
class Controlled:
    """A queue: its policy, what was set by hand, and what holds."""

    policy: Queue
    control: Control

    @property
    def effective(self) -> Queue:
        """What holds at the moment."""
        return self.control.applied_to(self.policy)


class QueueControls:
    """Steers queues. When a method returns, the change is committed and cannot be lost.

    Workers are told at once, and without Redis find out within a second. Raises NotFound for a
    queue that does not exist, and RecordUnavailable without Postgres.
    """

    def __init__(self, pool: Pool, redis: Redis, queues: Mapping[str, Queue] = QUEUES) -> None:
        self._pool = pool
        self._redis = redis
        self._queues = queues

    async def all(self) -> list[Controlled]:
        """Every queue of the policy table, in its order."""
        rows = await fetch(self._pool, SQL.all)
        controls = {r["queue"]: Control.of_row(r) for r in rows}
        return [Controlled(q, controls.get(n, Control(n))) for n, q in self._queues.items()]

    async def get(self, queue: str) -> Controlled:
        """One queue."""
        policy = self._known(queue)
        return next(c for c in await self.all() if c.policy is policy)

    async def pause(self, queue: str, reason: str | None = None) -> Controlled:
        """Have nothing more of the queue started. What runs goes on."""
        return await self._set(SQL.pause, queue, None if reason is None else plain(reason))

    async def resume(self, queue: str) -> Controlled:
        """Have the queue's jobs started again."""
        return await self._set(SQL.resume, queue)

    async def resize(
        self,
        queue: str,
        *,
        concurrency: Number = KEEP,
        per_key: Number = KEEP,
        per_organisation: Number = KEEP,
        rate: Rate | Literal[Keep.KEEP] | None = KEEP,
    ) -> Controlled:
        """Change the numbers that are given; None goes back to the policy's own.

        `concurrency` is jobs at once in each worker process, the others hold over all workers.
        Raises InvalidInput with the fields that make no sense.
        """
        numbers = {
            "concurrency": concurrency, "per_key": per_key, "per_organisation": per_organisation,
        }  # fmt: skip
        _check(numbers, rate)
        given = {n: v for n, v in (numbers | {"rate": rate}).items() if v is not KEEP}
        set_rate = rate if isinstance(rate, Rate) else None
        return await self._set(
            SQL.resize, queue, [*given], *(given.get(n) for n in numbers),
            set_rate and set_rate.count, set_rate and set_rate.seconds,
        )  # fmt: skip

    async def _set(self, sql: str, queue: str, *arguments: Any) -> Controlled:
        policy = self._known(queue)
        [row] = await fetch(self._pool, sql, queue, *arguments)
        await signal(self._redis, QUEUES_CHANGED)
        return Controlled(policy, Control.of_row(row))

    def _known(self, queue: str) -> Queue:
        if queue not in self._queues:
            raise NotFound(f"there is no queue {queue!r}; there are {', '.join(self._queues)}")
        return self._queues[queue]


def _check(numbers: Mapping[str, Number], rate: Rate | Literal[Keep.KEEP] | None) -> None:
    wrong = {
        name: f"must be a whole number from 1 to {LARGEST}"
        for name, value in numbers.items()
        if isinstance(value, int) and not 1 <= value <= LARGEST
    }
    if isinstance(rate, Rate):
        if not 1 <= rate.count <= LARGEST:
            wrong["rate.count"] = f"must be a whole number from 1 to {LARGEST}"
        if not (isfinite(rate.seconds) and 0.001 <= rate.seconds <= LONGEST_SECONDS):
            wrong["rate.seconds"] = f"must be from 0.001 to {LONGEST_SECONDS:g} seconds"
    if wrong:
        raise InvalidInput("the queue cannot be resized like this", wrong)
