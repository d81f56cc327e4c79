"""Conservation: nothing that was accepted is lost. Both sources are compared, each with the other.

A delivery is accounted for when it was ignored, is processed or closed, or all its jobs exist. A
job that waits and is due, or runs, is accounted for when Redis has it where a worker will come to
it. An id in Redis is accounted for when its job has not ended. Whatever mends itself is given the
time it takes, and looked at a second time.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.database import queries
from worker.database.pool import Pool, describe, fetch
from worker.jobs.ledger import SILENCE_SECONDS
from worker.jobs.offences import Census, Offence, Suspect, Tally, kind_of, offence
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.jobs.standing import Place, Spot, Standings

SQL = queries.load(__file__)

PAGE = 500
# A due job is rung within 3 s (a second's grace, a tick of 2 s). A ring that Redis then loses is
# repeated after 30 s and another tick. The rest is for ticks that take long.
UNRUNG_SECONDS = 45.0
# A live worker takes a lost lease again at its next beat, after 4 s at most.
UNLEASED_SECONDS = 15.0
# The jobs of a silent one are rung after 13 s, at the next tick, and again 5 s later.
SILENT_SECONDS = 30.0
# What ended is taken out of Redis at once; if that fails, when its lease of 12 s lapses.
ENDED_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 5.0
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Pause = Callable[[float], Awaitable[None]]


async def no_rest(_: float) -> None:
    """Go on at once."""


class Conservation:
    """Takes a census: page by page, with short statements, whatever the size of the tables.

    Raises RecordUnavailable without Postgres. Without Redis only the deliveries are looked at.
    """

    def __init__(self, pool: Pool, redis: Redis, queues: Iterable[str] = QUEUES) -> None:
        self._pool = pool
        self._redis: Any = redis
        self._queues = {*QUEUES, *queues}
        self._standings = Standings(redis)
        self._alone = asyncio.Lock()

    async def census(
        self,
        limit: int = 100,
        *,
        rest: Pause = no_rest,
        pause: Pause = asyncio.sleep,
    ) -> Census:
        """Look at everything, and name up to `limit` of what is not accounted for.

        `rest` is called after each page with the seconds that it took, to leave room for others,
        and `pause` with those to let pass before a second look. An error of theirs ends the census.
        """
        async with self._alone:
            started, at, tally = time.monotonic(), datetime.now(UTC), Tally(limit)
            await self._deliveries(tally, rest)
            try:
                await self._compare(tally, rest, pause)
            except (RedisError, OSError) as error:
                tally.problem = f"Redis cannot be asked, only deliveries were: {describe(error)}"
        problem = {"problem": tally.problem} if tally.problem else {}
        return Census(
            clean=not tally.counts and not tally.problem, at=at,
            seconds=round(time.monotonic() - started, 3), deliveries=tally.seen["deliveries"],
            jobs=tally.seen["jobs"], ids=tally.seen["ids"], counts=dict(tally.counts),
            offenders=tally.offenders, **problem,
        )  # fmt: skip

    async def _deliveries(self, tally: Tally, rest: Pause) -> None:
        async for page in self._pages(rest, SQL.deliveries, _after_delivery, BEGINNING, ""):
            tally.seen["deliveries"] += len(page)
            for row in page:
                if row["missing"] or not row["planned"]:
                    tally.add(_without_jobs(row))

    async def _compare(self, tally: Tally, rest: Pause, pause: Pause) -> None:
        """The record against Redis, Redis against the record, and the suspects once more."""
        tally.queues |= self._queues
        await self._jobs(tally, rest)
        for queue in sorted(tally.queues):
            await self._ids(queue, tally, rest)
        if tally.suspects:
            await pause(LOOK_AGAIN_SECONDS)
            for suspect in await self._confirmed(tally.suspects):
                tally.add(suspect.offence)

    async def _jobs(self, tally: Tally, rest: Pause) -> None:
        limits = UNRUNG_SECONDS, UNLEASED_SECONDS, SILENCE_SECONDS, SILENT_SECONDS
        async for page in self._pages(rest, SQL.jobs, _after_job, UUID(int=0), *limits):
            tally.seen["jobs"] += len(page)
            tally.queues |= {row["queue"] for row in page}
            suspects = [
                Suspect(kind, str(row["id"]), row["queue"], row["since"], _place(row, spot),
                        row["attempt"], row["state"])
                for row, spot in zip(page, await self._spots(page), strict=True)
                if (kind := kind_of(row["state"], spot))
            ]  # fmt: skip
            if not tally.suspect(suspects):
                return

    async def _ids(self, queue: str, tally: Tally, rest: Pause) -> None:
        cursor = -1
        while cursor:
            started = time.monotonic()
            cursor, found = await self._redis.hscan(
                queue_keys(queue).jobs, max(cursor, 0), count=PAGE
            )
            tally.seen["ids"] += len(found)
            if not tally.suspect(await self._without_job(queue, [*found])):
                return
            await rest(time.monotonic() - started)

    async def _without_job(self, queue: str, ids: Iterable[bytes]) -> list[Suspect]:
        # What is no job id was put there by a stranger: the worker that claims it says so.
        readable = [job_id for i in ids if (job_id := _as_uuid(i))]
        rows = await fetch(self._pool, SQL.without_job, readable, ENDED_SECONDS)
        return [
            Suspect("id_without_job", str(r["id"]), queue, r["finished_at"],
                    f"its job is {r['state'] or 'not in the record'}")
            for r in rows
        ]  # fmt: skip

    async def _confirmed(self, suspects: Iterable[Suspect]) -> list[Suspect]:
        """Those that are as before, in Redis and then in the record."""
        by_queue: defaultdict[str, list[Suspect]] = defaultdict(list)
        for suspect in suspects:
            by_queue[suspect.queue].append(suspect)
        return [
            confirmed
            for queue, group in by_queue.items()
            for start in range(0, len(group), PAGE)
            for confirmed in await self._still(queue, group[start : start + PAGE])
        ]

    async def _still(self, queue: str, suspects: Sequence[Suspect]) -> list[Suspect]:
        spots = await self._standings.spots(queue, [s.id for s in suspects])
        pairs = [*zip(suspects, spots, strict=True)]
        jobs = {s.id: s for s, spot in pairs if s.state and kind_of(s.state, spot) == s.kind}
        ids = [s.id.encode() for s, spot in pairs
               if not s.state and spot.place is not Place.UNKNOWN]  # fmt: skip
        rows = await fetch(
            self._pool, SQL.unchanged, [*map(UUID, jobs)],
            [s.attempt for s in jobs.values()], [s.state for s in jobs.values()],
        )  # fmt: skip
        return [jobs[str(row["id"])] for row in rows] + await self._without_job(queue, ids)

    async def _spots(self, page: Sequence[asyncpg.Record]) -> list[Spot]:
        places: dict[UUID, Spot] = {}
        for queue in {row["queue"] for row in page}:
            ids = [row["id"] for row in page if row["queue"] == queue]
            spots = await self._standings.spots(queue, [*map(str, ids)])
            places |= dict(zip(ids, spots, strict=True))
        return [places[row["id"]] for row in page]

    async def _pages(
        self, rest: Pause, sql: str, key: Callable[[asyncpg.Record], tuple[Any, ...]], *first: Any
    ) -> AsyncIterator[list[asyncpg.Record]]:
        """Pages of a statement: it takes the key of the row before, its arguments, and a limit."""
        arguments = first
        while True:
            started = time.monotonic()
            page = await fetch(self._pool, sql, *arguments, PAGE)
            if page:
                yield page
            if len(page) < PAGE:
                return
            after = key(page[-1])
            arguments = (*after, *first[len(after) :])
            await rest(time.monotonic() - started)


def _without_jobs(row: asyncpg.Record) -> Offence:
    missing = ", ".join(row["missing"][:5])
    told = f"not in the record: {missing}" if missing else "it was not ignored, and has no jobs"
    return offence("delivery_without_jobs", row["delivery_id"], told, row["received_at"])


def _place(row: asyncpg.Record, spot: Spot) -> str:
    delay = f" for another {spot.seconds:.0f} s" if spot.is_delayed else ""
    return f"it is {row['state']}, and in Redis {spot.place}{delay}"


def _after_delivery(row: asyncpg.Record) -> tuple[Any, ...]:
    return row["received_at"], row["delivery_id"]


def _after_job(row: asyncpg.Record) -> tuple[Any, ...]:
    return (row["id"],)


def _as_uuid(raw: bytes) -> UUID | None:
    try:
        return UUID(raw.decode("ascii"))
    except ValueError:
        return None
