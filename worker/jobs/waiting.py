"""Why a job waits: everything that holds it, from the record and from its place in Redis."""

import asyncio
from dataclasses import replace
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database import queries
from worker.database.pool import Pool, describe, fetch
from worker.errors import NotFound
from worker.jobs.ledger import SILENCE_SECONDS
from worker.jobs.queue_controls import QueueControls
from worker.jobs.reasons import Reason, from_record, from_redis, unavailable
from worker.jobs.situation import Situation
from worker.jobs.standing import Standings
from worker.jobs.states import State
from worker.jobs.views import View

SQL = queries.load(__file__)
REDIS_SECONDS = 2.0


class Why(View):
    """What holds a job, most decisive first. A job that runs or has ended does not wait."""

    job_id: UUID
    state: State
    waiting: bool
    reasons: list[Reason]


class Waiting:
    """Asks both sources. Raises RecordUnavailable without Postgres; without Redis it tells less."""

    def __init__(self, pool: Pool, redis: Redis, controls: QueueControls) -> None:
        self._pool = pool
        self._controls = controls
        self._standings = Standings(redis)

    async def why(self, job_id: UUID) -> Why:
        """Everything that keeps a job from running now. Raises NotFound."""
        at = await self._recorded(job_id)
        reasons = [*from_record(at)]
        if at.is_waiting and at.is_due:
            reasons += await self._in_redis(at)
        return Why(job_id=job_id, state=at.job["state"], waiting=at.is_waiting, reasons=reasons)

    async def _recorded(self, job_id: UUID) -> Situation:
        rows = await fetch(self._pool, SQL.job, job_id, SILENCE_SECONDS)
        if not rows:
            raise NotFound(f"there is no job {job_id}")
        queue = rows[0]["queue"]
        serving = await fetch(self._pool, SQL.serving, queue, SILENCE_SECONDS)
        try:
            controlled = await self._controls.get(queue)
        except NotFound:
            return Situation(rows[0], None, None, serving)
        return Situation(rows[0], controlled.effective, controlled.control, serving)

    async def _in_redis(self, at: Situation) -> list[Reason]:
        rate = at.policy.rate if at.policy else None
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                standing = await self._standings.of(at.job["queue"], at.job["id"], rate)
        except (RedisError, OSError) as error:
            return [unavailable(describe(error))]
        ids = [*standing.key.ids, *standing.tenant.ids]
        rows = await fetch(self._pool, SQL.holders, ids) if ids else []
        return [*from_redis(replace(at, holders={r["id"]: r for r in rows}), standing)]
