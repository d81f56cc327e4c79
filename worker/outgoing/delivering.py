"""Deliveries in the record: what one takes, whether it may go now, and what came of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog
from asyncpg import Record

from worker.cipher import Cipher, Unopenable
from worker.database import queries
from worker.database.batcher import Batcher
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.jobs.ids import new_id
from worker.jobs.ring import Ring
from worker.metrics import OUTGOING_BREAKER_OPENINGS, OUTGOING_DELIVERIES
from worker.outgoing.breaker import PROBE_SECONDS, Breaker
from worker.outgoing.outcomes import Sent
from worker.outgoing.retrying import rest
from worker.outgoing.sealing import EndpointLabel, unseal
from worker.outgoing.switching import disable

log = structlog.get_logger(__name__)

SQL = queries.load(__file__)
AT_ONCE = 50
# Until somebody has set the right key again.
_WITHOUT_KEY = 300.0
_AT_LEAST = 1.0
_LONGEST_SPREAD = 300.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job at a delivery; `failures` came before, of `most` in all."""

    endpoint_id: UUID
    message_id: UUID
    job_id: UUID
    number: int
    failures: int
    most: int

    @property
    def is_last(self) -> bool:
        """Whether its failure is the end of it."""
        return self.failures + 1 >= self.most


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent, begun at `started` by Postgres's clock."""

    url: str
    body: bytes
    schedule: str
    started: datetime
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, but in so many seconds."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """There is nothing to send any more; `arrived`: because it was."""

    reason: str
    arrived: bool = False


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from a failed attempt: whether the endpoint is disabled now, what to ring."""

    disabled: bool
    rings: Sequence[Ring] = ()


class Deliveries:
    """One instance a process: what happens at the same time shares its statements.

    Every method raises RecordUnavailable when Postgres is away.
    """

    def __init__(self, pool: Pool, cipher: Cipher) -> None:
        self._pool, self._cipher = pool, cipher
        self._parcels: Batcher[Attempt, Record] = Batcher(
            self._read_many, max_items=AT_ONCE, max_flushes=2
        )
        self._arrivals: Batcher[Sequence[object], None] = Batcher(
            self._record_many, max_items=AT_ONCE
        )

    async def parcel(self, attempt: Attempt) -> Parcel | Wait | Over:
        """What to send, unless it has to wait or is over."""
        row = await self._parcels.submit(attempt)
        if row["delivery"] is None:
            return Over("the endpoint or the message was deleted")
        if row["delivery"] == "delivered":
            return Over("it had arrived already", arrived=True)
        if row["state"] == "disabled":
            await self._give_up(attempt)
            return Over(f"the endpoint is disabled ({_WHY[row['disabled_reason']]})")
        try:
            secrets = self._secrets(attempt.endpoint_id, row)
        except Unopenable as error:
            log.warning("webhook.secret_unopenable", endpoint_id=str(attempt.endpoint_id),
                        error=error.message)  # fmt: skip
            return Wait(_spread(_WITHOUT_KEY), error.message)
        started = await self._turn(attempt, row)
        if isinstance(started, Wait):
            return started
        return Parcel(row["url"], row["body"], row["schedule"], started, secrets)

    async def arrived(self, attempt: Attempt, parcel: Parcel, sent: Sent) -> None:
        """Record a success. Doing so again changes nothing."""
        await self._arrivals.submit(_arguments(attempt, parcel, sent))
        OUTGOING_DELIVERIES.labels("delivered").inc()

    async def failed(
        self, attempt: Attempt, parcel: Parcel, sent: Sent, delay: float
    ) -> Consequence:
        """Record a failure; the next attempt follows in `delay` seconds. Again changes nothing."""
        if sent.refused:
            log.warning("webhook.address_refused", endpoint_id=str(attempt.endpoint_id),
                        address=sent.refused)  # fmt: skip

        async def work(connection: Transaction) -> Consequence:
            arguments = _arguments(attempt, parcel, sent)
            recorded = await connection.fetch(
                SQL.failed, *arguments, sent.error_class, sent.error, attempt.is_last
            )
            if not recorded:
                return Consequence(disabled=False)
            return await _weigh(connection, attempt, parcel, sent, delay)

        consequence = await atomically(self._pool, work)
        is_over = consequence.disabled or attempt.is_last
        OUTGOING_DELIVERIES.labels("failed" if is_over else "retrying").inc()
        return consequence

    async def _read_many(self, attempts: Sequence[Attempt]) -> list[Record]:
        endpoints, messages = zip(*((a.endpoint_id, a.message_id) for a in attempts), strict=True)
        return await fetch(self._pool, SQL.parcels, endpoints, messages)

    async def _record_many(self, arrivals: Sequence[Sequence[object]]) -> list[None]:
        await fetch(self._pool, SQL.arrived, *zip(*arrivals, strict=True))
        return [None] * len(arrivals)

    async def _turn(self, attempt: Attempt, row: Record) -> datetime | Wait:
        """When it begins, which is now; or that it has to wait."""
        now: datetime = row["now"]
        breaker = _breaker(row)
        if row["slow_until"] is not None and now < row["slow_until"]:
            return _until(row["slow_until"], now, "the endpoint asked for a rest")
        if breaker.open_until is None:
            return now
        if breaker.is_open(now):
            return _until(breaker.open_until, now, "the endpoint keeps failing and is left alone")
        won = await fetch(self._pool, SQL.probe, attempt.endpoint_id, PROBE_SECONDS)
        if won:
            began: datetime = won[0]["now"]
            return began
        seconds = random.uniform(_AT_LEAST, PROBE_SECONDS)  # noqa: S311
        return Wait(seconds, "another delivery tries the endpoint")

    async def _give_up(self, attempt: Attempt) -> None:
        await fetch(self._pool, SQL.give_up, attempt.endpoint_id, attempt.message_id)
        OUTGOING_DELIVERIES.labels("failed" if attempt.failures else "skipped").inc()

    def _secrets(self, endpoint_id: UUID, row: Record) -> list[str]:
        label = EndpointLabel(endpoint_id, row["org_id"])
        return unseal(self._cipher, label, row["secret"], row["previous_secret"])


_WHY = {"asked": "by hand", "gone": "it said it is gone", "failing": "it kept failing"}


async def _weigh(
    connection: Transaction, attempt: Attempt, parcel: Parcel, sent: Sent, delay: float
) -> Consequence:
    """What one more failure means to the endpoint, which may have been disabled meanwhile."""
    row = await connection.fetchrow(SQL.standing, attempt.endpoint_id)
    if row is None:
        return Consequence(disabled=False)
    before, now = _breaker(row), row["now"]
    breaker = before.failed(parcel.started, now)
    await connection.execute(
        SQL.note, attempt.endpoint_id, breaker.failures, breaker.failing_since, breaker.open_until,
        breaker.probing_until, rest(delay, sent),
    )  # fmt: skip
    if sent.error_class == "gone" or breaker.is_hopeless(now):
        reason: Literal["gone", "failing"] = "gone" if sent.error_class == "gone" else "failing"
        await connection.execute(SQL.give_up, attempt.endpoint_id, attempt.message_id)
        return Consequence(True, await disable(connection, attempt.endpoint_id, reason))
    if breaker.open_until != before.open_until and breaker.open_until is not None:
        OUTGOING_BREAKER_OPENINGS.inc()
        log.warning("webhook.breaker_opened", endpoint_id=str(attempt.endpoint_id),
                    failures=breaker.failures, until=breaker.open_until.isoformat())  # fmt: skip
    return Consequence(disabled=False)


def _breaker(row: Record) -> Breaker:
    return Breaker(row["failures"], row["failing_since"], row["open_until"], row["probing_until"])


def _arguments(attempt: Attempt, parcel: Parcel, sent: Sent) -> list[object]:
    return [
        attempt.endpoint_id, attempt.message_id, new_id(), attempt.job_id, attempt.number,
        parcel.started, sent.duration_ms, sent.status, sent.answer,
    ]  # fmt: skip


def _until(moment: datetime, now: datetime, reason: str) -> Wait:
    return Wait(_spread((moment - now).total_seconds()), reason)


def _spread(seconds: float) -> float:
    """So many seconds and up to half as many more: what waits does not come all at once."""
    seconds = max(seconds, _AT_LEAST)
    return seconds + random.uniform(0.0, min(seconds / 2, _LONGEST_SPREAD))  # noqa: S311
