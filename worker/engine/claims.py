"""A queue's leases in Redis: claim, renew, settle. Every step is one Lua call on Redis's clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID

import structlog
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811
from redis.asyncio import Redis

from worker.database.batcher import Batcher
from worker.engine.outages import REDIS_AWAY
from worker.jobs.ledger import Claim
from worker.jobs.ring import queue_keys

log = structlog.get_logger(__name__)

LEASE_MS = 12_000
# A Lua call may unpack a few thousand values at most.
MOST_IDS = 1000
NEVER = -1


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought: leases, and how many ms until the next id is due (None: no id left)."""

    claims: list[Claim]
    next_due_ms: float | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A lease to give up. `delay_ms` until the id is due again; NEVER when the job has ended."""

    id: str
    token: str
    delay_ms: int = NEVER


class Claims:
    """The leases of one worker on one queue. Every method raises when Redis is away."""

    def __init__(self, redis: Redis, queue: str, worker: str) -> None:
        self._keys = queue_keys(queue)
        self._redis = redis
        self._queue = queue
        self._worker = worker
        self._numbers = count(1)
        self._unanswered: set[str] = set()
        self._claim, self._settle_script, self._renew, self._release = (
            redis.register_script(_lua(n)) for n in ("claim", "settle", "renew", "release")
        )
        self._settlements: Batcher[Settlement, None] = Batcher(
            self._settle_many, max_items=MOST_IDS
        )

    async def claim(self, slots: int) -> Claimed:
        """Lease up to `slots` ids that are due."""
        await self._release_unanswered()
        token = f"{self._worker}:{next(self._numbers)}"
        self._unanswered.add(token)
        answer = await self._claim(
            keys=[self._keys.ready, self._keys.owners, self._keys.wake],
            args=[min(slots, MOST_IDS), LEASE_MS, token],
        )
        self._unanswered.discard(token)
        now, left, *ids = answer
        next_due = float(left) - float(now) if left else None
        claims = [c for i in ids if (c := self._readable(i, token)) is not None]
        if len(claims) < len(ids):
            await self._quarantine([i for i in ids if _as_uuid(i) is None])
        return Claimed(claims, next_due)

    def settle(self, settlement: Settlement) -> None:
        """Have a lease given up soon. Nothing happens when the token no longer owns it."""
        self._settlements.post(settlement)

    async def renew(self, held: Mapping[UUID, str]) -> list[UUID]:
        """Extend these leases (id → token); answers those that somebody else owns now."""
        lost: list[UUID] = []
        items = list(held.items())
        for start in range(0, len(items), MOST_IDS):
            chunk = items[start : start + MOST_IDS]
            arguments = [part for i, token in chunk for part in (str(i), token)]
            answer = await self._renew(
                keys=[self._keys.ready, self._keys.owners], args=[LEASE_MS, *arguments]
            )
            lost += [UUID(i.decode()) for i in answer]
        return lost

    async def drain(self) -> None:
        """Wait until every settlement under way has been made."""
        await self._settlements.drain()

    async def _settle_many(self, settlements: Sequence[Settlement]) -> list[None]:
        arguments = [part for s in settlements for part in (s.id, s.token, s.delay_ms)]
        try:
            await self._settle_script(
                keys=[self._keys.ready, self._keys.owners, self._keys.wake], args=arguments
            )
        except REDIS_AWAY as error:
            # The leases lapse by themselves, and the record refuses to start what has ended.
            log.warning("settle.failed", queue=self._queue, error=str(error))
        return [None] * len(settlements)

    async def _release_unanswered(self) -> None:
        for token in list(self._unanswered):
            await self._release(keys=[self._keys.ready, self._keys.owners], args=[token])
            self._unanswered.discard(token)

    def _readable(self, raw: bytes, token: str) -> Claim | None:
        job_id = _as_uuid(raw)
        return None if job_id is None else Claim(job_id, token)

    async def _quarantine(self, ids: Sequence[bytes]) -> None:
        # Only a stranger's write can bring these; they would come back after every lease.
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(self._keys.ready, *ids)
            pipe.execute_command("HDEL", self._keys.owners, *ids)
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


def _lua(name: str) -> str:
    return Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8")
