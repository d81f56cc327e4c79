"""The census that is always taken: by one process at a time, about once a minute, at its leisure.

Its result is kept in Redis, so that every process shows the same. What is in Redis and should not
be there, or where no worker looks, is taken out; the reconciler rings anew what has to run.
"""

import asyncio
import random
from collections import defaultdict
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis

from worker.engine.outages import OUTAGES, sleep_unless
from worker.jobs.conservation import Conservation
from worker.jobs.offences import KINDS
from worker.jobs.offences import Census as Result
from worker.jobs.ring import Bell
from worker.metrics import CONSERVATION_OFFENDERS

log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
TURN = "switchyard:census:turn"
RESULT = "switchyard:census"
# Longer than a census of millions of jobs takes; a result that is older means nothing.
RESULT_SECONDS = 900
MOST_NAMED = 1000
# Of the time it takes it works a tenth, and leaves the rest to the jobs.
LEISURE = 9.0
MENDED = ("id_without_job", "job_misplaced")


class Stopped(Exception):
    """The process is stopping; nobody waits for the census."""


class Census:
    """Takes the census when it is this process's turn, and shows the latest result in any case."""

    def __init__(self, conservation: Conservation, redis: Redis, worker_id: str) -> None:
        self._conservation = conservation
        self._redis = redis
        self._bell = Bell(redis)
        self._id = worker_id
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Look after it until told to stop."""
        # Processes that start together need not ask together.
        await sleep_unless(self.stopping, random.uniform(0.1, 0.3) * EVERY_SECONDS)  # noqa: S311
        while not self.stopping.is_set():
            try:
                await self.once()
            except Stopped:
                return
            except OUTAGES as error:
                CONSERVATION_OFFENDERS.clear()
                log.warning("census.failed", error=str(error) or type(error).__name__)
            await sleep_unless(self.stopping, EVERY_SECONDS)

    async def once(self) -> None:
        """Take a census unless another process did lately, and show the latest result."""
        if await self._redis.set(TURN, self._id, nx=True, px=_turn_ms()):
            await self._take()
        self._show(await self._redis.get(RESULT))

    async def _take(self) -> None:
        result = await self._conservation.census(MOST_NAMED, rest=self._rest, pause=self._pause)
        if result.problem:
            log.warning("census.incomplete", problem=result.problem)
        if result.counts:
            first = [f"{o.kind} {o.id}" for o in result.offenders[:5]]
            log.warning("census.found_offenders", counts=dict(result.counts), first=first)
        await self._mend(result)
        await self._redis.set(RESULT, orjson.dumps(result.counts), ex=RESULT_SECONDS)

    async def _rest(self, seconds: float) -> None:
        await self._redis.set(TURN, self._id, px=_turn_ms())
        await self._pause(LEISURE * seconds)

    async def _pause(self, seconds: float) -> None:
        await sleep_unless(self.stopping, seconds)
        if self.stopping.is_set():
            raise Stopped

    async def _mend(self, result: Result) -> None:
        astray: defaultdict[str, list[UUID]] = defaultdict(list)
        for offender in result.offenders:
            if offender.kind in MENDED and offender.queue is not None:
                astray[offender.queue].append(UUID(offender.id))
        for queue, ids in astray.items():
            await self._bell.forget(queue, ids)

    def _show(self, result: bytes | None) -> None:
        if result is None:
            CONSERVATION_OFFENDERS.clear()
            return
        counts = orjson.loads(result)
        for kind in KINDS:
            CONSERVATION_OFFENDERS.labels(kind).set(counts.get(kind, 0))


def _turn_ms() -> int:
    # A little less than the pause, so that whoever took the last one may take the next.
    return int(EVERY_SECONDS * 0.9 * 1000)
