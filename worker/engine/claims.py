"""A queue's leases in Redis: claim, renew, settle. Every step is one Lua call on Redis's clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID

import structlog
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811
from redis.asyncio import Redis

from worker.database.batcher import Gatherer
from worker.engine.outages import REDIS_AWAY
from worker.jobs.ledger import Claim
from worker.jobs.queues import Queue, Rate
from worker.jobs.ring import queue_keys, queue_script

log = structlog.get_logger(__name__)

LEASE_MS = 12_000
# A Lua call may unpack a few thousand values at most.
MOST_IDS = 1000
NEVER = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for a queue over all workers; see Queue. None: no limit."""

    rate: Rate | None = None
    per_key: int | None = None
    per_organisation: int | None = None

    @classmethod
    def of(cls, queue: Queue) -> "Limits":
        """As the queue's policy says."""
        return cls(queue.rate, queue.per_key, queue.per_organisation)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought: leases, and in how many ms there may be more (None: no id is left)."""

    claims: list[Claim]
    next_due_ms: float | None


@dataclass(slots=True)
class Settlement:
    """A lease to give up. `delay_ms` until the id is due again; NEVER when the job has ended."""

    id: str
    token: str
    delay_ms: int = NEVER


class Claims:
    """The leases of one worker on one queue. Every method raises when Redis is away.

    `limits` may be set anew at any time; a claim takes what does not break them.
    """

    def __init__(self, redis: Redis, queue: str, worker: str, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._keys = queue_keys(queue)
        self._redis = redis
        self._queue = queue
        self._worker = worker
        self._numbers = count(1)
        self._unanswered: set[str] = set()
        # What a renewal needs to take a lease again that a flush removed.
        self._metas: dict[str, bytes] = {}
        self._claim, self._settle_script, self._renew, self._release = (
            queue_script(redis, Path(__file__).with_name(f"{name}.lua"))
            for name in ("claim", "settle", "renew", "release")
        )
        self._settlements: Gatherer[Settlement] = Gatherer(self._settle_many, max_items=MOST_IDS)
        # Those that were put while a renewal was under way; None: none is.
        self._crossed: list[Settlement] | None = None

    async def claim(self, slots: int) -> Claimed:
        """Lease up to `slots` ids that are due."""
        await self._release_unanswered()
        token = f"{self._worker}:{next(self._numbers)}"
        self._unanswered.add(token)
        wait, ids, metas = await self._claim(
            keys=[self._keys.times],
            args=[min(slots, MOST_IDS), LEASE_MS, token, *_numbers(self.limits)],
        )
        self._unanswered.discard(token)
        self._metas.update((i.decode(), m) for i, m in zip(ids, metas, strict=True) if m)
        claims = [c for i in ids if (c := self._readable(i, token)) is not None]
        if len(claims) < len(ids):
            await self._quarantine([i for i in ids if _as_uuid(i) is None])
        return Claimed(claims, None if float(wait) < 0 else float(wait))

    def settle(self, settlement: Settlement) -> None:
        """Have a lease given up soon. Nothing happens when the token no longer owns it."""
        self._settlements.put(settlement)
        if self._crossed is not None:
            self._crossed.append(settlement)

    async def renew(self, held: Mapping[UUID, str]) -> list[UUID]:
        """Extend these leases (id → token); answers those that somebody else owns now."""
        self._crossed = []
        try:
            return await self._renew_all(held)
        finally:
            crossed, self._crossed = self._crossed, None
            # A renewal that came after such a settlement has taken the lease again.
            for settlement in crossed:
                self._settlements.put(settlement)

    async def _renew_all(self, held: Mapping[UUID, str]) -> list[UUID]:
        lost: list[UUID] = []
        items = list(held.items())
        for start in range(0, len(items), MOST_IDS):
            chunk = items[start : start + MOST_IDS]
            metas = self._metas
            arguments = [p for i, token in chunk for p in (str(i), token, metas.get(str(i), ""))]
            answer = await self._renew(
                keys=[self._keys.times],
                args=[LEASE_MS, self.limits.per_organisation or 0, *arguments],
            )
            lost += [UUID(i.decode()) for i in answer]
        return lost

    async def drain(self) -> None:
        """Wait until every settlement under way has been made."""
        await self._settlements.drain()

    async def _settle_many(self, settlements: Sequence[Settlement]) -> None:
        arguments = [part for s in settlements for part in (s.id, s.token, s.delay_ms)]
        if self._metas:
            for settlement in settlements:
                self._metas.pop(settlement.id, None)
        try:
            await self._settle_script(
                keys=[self._keys.times], args=[self.limits.per_key or 0, *arguments]
            )
        except REDIS_AWAY as error:
            # The leases lapse by themselves, and the record refuses to start what has ended.
            log.warning("settle.failed", queue=self._queue, error=str(error))

    async def _release_unanswered(self) -> None:
        for token in list(self._unanswered):
            await self._release(keys=[self._keys.times], args=[self.limits.per_key or 0, token])
            self._unanswered.discard(token)

    def _readable(self, raw: bytes, token: str) -> Claim | None:
        job_id = _as_uuid(raw)
        return None if job_id is None else Claim(job_id, token)

    async def _quarantine(self, ids: Sequence[bytes]) -> None:
        # Only a stranger's write can bring these; they would come back after every lease.
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(self._keys.times, *ids)
            for key in (self._keys.owners, self._keys.jobs):
                pipe.execute_command("HDEL", key, *ids)
            await pipe.execute()
        for raw in ids:
            log.error("claim.quarantined", queue=self._queue, id=repr(raw[:100]))


def _as_uuid(raw: bytes) -> UUID | None:
    try:
        # asyncpg's own UUID: the same value, and several times quicker than the standard one.
        job_id = FastUUID(raw.decode("ascii"))
    except ValueError:
        return None
    return job_id if str(job_id).encode() == raw else None


def _numbers(limits: Limits) -> tuple[int, int, int, int]:
    rate = limits.rate or Rate(0, 0.0)
    per_key, per_organisation = limits.per_key or 0, limits.per_organisation or 0
    return per_key, per_organisation, rate.count, int(rate.seconds * 1000)
