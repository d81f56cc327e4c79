"""Where a job stands in its queue in Redis, and what is before it there."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from worker.jobs.queues import Rate
from worker.jobs.ring import queue_keys, queue_script

HOLDERS_NAMED = 20
ONLY_PLACES = -1


class Place(StrEnum):
    """Where Redis has an id.

    `leased` and `timed` until a time; `ready` to be claimed in its turn; `parked` until its key has
    a place left. `stranded` and `nowhere` are defects: nobody would come to it there. `unknown`:
    Redis has never heard of it.
    """

    LEASED = "leased"
    TIMED = "timed"
    READY = "ready"
    PARKED = "parked"
    STRANDED = "stranded"
    NOWHERE = "nowhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place; `seconds` until the lease ends or the time comes, negative when it is past."""

    place: Place
    seconds: float = 0.0

    @property
    def is_leased(self) -> bool:
        """Whether a worker holds it, by a lease that has not lapsed."""
        return self.place is Place.LEASED and self.seconds > 0

    @property
    def is_delayed(self) -> bool:
        """Whether its time has not come yet."""
        return self.place is Place.TIMED and self.seconds > 0


@dataclass(frozen=True, slots=True)
class Held:
    """What counts for a limit of this name: how many run, and the first of their ids."""

    name: str
    running: int
    ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Standing:
    """All about one id. `ahead` come first of its own tenant, `turn` tenants before its tenant.

    Both are None where they cannot be told. `next_start` is seconds until the rate allows a start.
    """

    spot: Spot
    token: str
    ahead: int | None
    turn: int | None
    tenants: int
    next_start: float
    key: Held
    tenant: Held


class Standings:
    """Asks Redis. Every method raises what redis-py raises when it is away."""

    def __init__(self, redis: Redis) -> None:
        self._script = queue_script(redis, Path(__file__).with_name("standing.lua"))

    async def of(self, queue: str, job_id: UUID, rate: Rate | None = None) -> Standing:
        """Where one id stands, and what is before it."""
        count, period = (rate.count, int(rate.seconds * 1000)) if rate else (0, 0)
        answer = await self._ask(queue, count, period, HOLDERS_NAMED, job_id)
        now, places, token, ahead, turn, tenants, next_start, *held = answer
        return Standing(
            spot=_spots(now, places)[0],
            token=token.decode(),
            ahead=ahead if ahead >= 0 else None,
            turn=turn if turn >= 0 else None,
            tenants=tenants,
            next_start=next_start / 1000,
            key=_held(*held[:3]),
            tenant=_held(*held[3:]),
        )

    async def spots(self, queue: str, ids: Sequence[str]) -> list[Spot]:
        """Where each of up to a thousand ids stands."""
        now, places = await self._ask(queue, 0, 0, ONLY_PLACES, *ids) if ids else (b"0", [])
        return _spots(now, places)

    async def _ask(self, queue: str, *arguments: Any) -> Any:
        return await self._script(keys=[queue_keys(queue).times], args=[str(a) for a in arguments])


def _spots(now: bytes, places: Sequence[bytes]) -> list[Spot]:
    pairs = zip(places[::2], places[1::2], strict=True)
    return [
        Spot(Place(where.decode()), (float(at) - float(now)) / 1000 if at else 0.0)
        for where, at in pairs
    ]


def _held(name: bytes, running: int, ids: Sequence[bytes]) -> Held:
    return Held(name.decode(), running, [UUID(i.decode()) for i in ids])
