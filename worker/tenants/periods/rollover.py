"""Rolling usage periods over: what has ended is archived and closed, what has begun is opened.

Counters are moved by their period's end alone. What arrives late, or while a roll-over is at work,
is moved by the next one and added; so it does not matter when, how often or by how many it is run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from asyncpg import Record

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.jobs.ring import Ring
from worker.jobs.rows import columns
from worker.jobs.tenant_payloads import AuditedEvent, Party, PeriodKind
from worker.metrics import USAGE_PERIODS_CLOSED
from worker.outgoing.messages import NewMessage, emit
from worker.tenants.actions import restore_due
from worker.tenants.audit import recording
from worker.tenants.periods.calendar import KINDS, Period, period_of

log = structlog.get_logger(__name__)

SQL = queries.load(__file__)
COUNTERS_AT_ONCE = 5000
ORGANISATIONS_AT_ONCE = 100
MOST_TOTALS = 100


@dataclass(slots=True)
class RolledOver:
    """What a roll-over did, and the jobs to be rung for it."""

    counters: int = 0
    periods: int = 0
    rings: list[Ring] = field(default_factory=list)

    def __iadd__(self, other: "RolledOver") -> "RolledOver":
        self.counters += other.counters
        self.periods += other.periods
        self.rings += other.rings
        return self


class Rollover:
    """Rolls over the periods of all organisations."""

    def __init__(self, pool: Pool, *, at_once: int = COUNTERS_AT_ONCE) -> None:
        self._pool, self._at_once = pool, at_once

    async def run(self, now: datetime | None = None) -> RolledOver:
        """Archive and close every period that has ended by `now`, and open those that it is in.

        Reverts what was to last until then. Without `now` it is Postgres's time. An organisation's
        last counters, its periods and what tells of them are committed together. Raises
        RecordUnavailable; what was done until then stands, and another run does the rest.
        """
        if now is None:
            [(now,)] = await fetch(self._pool, SQL.clock)
        done = RolledOver()
        for rows in _chunks(await fetch(self._pool, SQL.due, now), self._at_once):
            zones = _zones(rows)
            _report_unknown(rows, zones)
            await fetch(self._pool, SQL.open_counters, *_current(zones, now))
            done += await self._roll_over([row["id"] for row in rows], now)
        done.rings += await restore_due(self._pool, now)
        return done

    async def _roll_over(self, organisations: Sequence[str], now: datetime) -> RolledOver:
        async def work(connection: Transaction) -> tuple[RolledOver, bool]:
            held = await connection.fetch(SQL.hold, organisations)
            moved = await connection.fetchval(SQL.archive, organisations, now, self._at_once)
            if moved == self._at_once:
                return RolledOver(moved), False
            return await _turn(connection, held, now, moved), True

        done, complete = RolledOver(), False
        while not complete:
            step, complete = await atomically(self._pool, work)
            USAGE_PERIODS_CLOSED.inc(step.periods)
            done += step
        return done


async def _turn(
    connection: Transaction, held: Sequence[Record], now: datetime, moved: int
) -> RolledOver:
    """Close and open the periods of organisations whose counters are moved, and tell of it."""
    organisations = [row["id"] for row in held]
    known = await connection.fetch(SQL.known_until, organisations)
    zones, opened = _zones(held), {row["id"]: min(row["created_at"], now) for row in held}
    added = [
        (row["org_id"], period)
        for row in known
        if (zone := zones.get(row["org_id"])) is not None
        for period in _until(now, row["period"], row["period_end"] or opened[row["org_id"]], zone)
    ]
    rows = await connection.fetch(SQL.turn, organisations, now, *_arguments(added))
    closed = [(row["org_id"], Period(*row[1:])) for row in rows]
    return RolledOver(moved, len(closed), await _tell(connection, closed, now))


async def _tell(
    connection: Transaction, closed: Iterable[tuple[str, Period]], now: datetime
) -> list[Ring]:
    """Have endpoints and audit log know of days and months in which something was used."""
    told = [(org_id, period) for org_id, period in closed if period.kind != "hour"]
    totals = await _totals(connection, told)
    used = [(org_id, period) for org_id, period in told if (org_id, period) in totals]
    await recording.record(
        connection, [_event(*one, metrics=totals[one][0]["metrics"], now=now) for one in used]
    )
    return await emit(connection, [_message(*one, totals[one]) for one in used])


async def _totals(
    connection: Transaction, periods: Sequence[tuple[str, Period]]
) -> Mapping[tuple[str, Period], Sequence[Record]]:
    keys = _arguments(periods)[:3]
    found: dict[tuple[str, str, datetime], list[Record]] = {}
    for row in await connection.fetch(SQL.totals, *keys, MOST_TOTALS):
        found.setdefault(tuple(row[:3]), []).append(row)
    return {
        (org_id, period): rows
        for org_id, period in periods
        if (rows := found.get((org_id, period.kind, period.start)))
    }


def _message(org_id: str, period: Period, totals: Sequence[Record]) -> NewMessage:
    data = {
        "period": period.kind,
        "periodStart": period.start,
        "periodEnd": period.end,
        "totals": [
            {"metric": row["metric"], "quantity": row["quantity"], "events": row["events"]}
            for row in totals
        ],
        "metricsLeftOut": totals[0]["metrics"] - len(totals),
    }
    return NewMessage(org_id, "usage.period_closed", data, f"period:{_name(period)}")


def _event(org_id: str, period: Period, metrics: int, now: datetime) -> AuditedEvent:
    name = _name(period)
    metadata = {"periodEnd": period.end.isoformat(), "metrics": metrics}
    target = Party(type="usage_period", id=name)
    return recording.by_switchyard(org_id, "usage.period_closed", target, name, metadata, now)


def _name(period: Period) -> str:
    return f"{period.kind}:{period.start.isoformat()}"


def _current(zones: Mapping[str, ZoneInfo], now: datetime) -> list[list[Any]]:
    return _arguments(
        (org_id, period)
        for org_id, zone in zones.items()
        for kind in KINDS
        for period in _until(now, kind, now, zone)
    )


@lru_cache(maxsize=1000)
def _until(now: datetime, kind: PeriodKind, begin: datetime, zone: ZoneInfo) -> tuple[Period, ...]:
    """The periods from the one that `begin` is in up to the one that `now` is in."""
    return tuple(_walk(now, period_of(kind, begin, zone), zone))


def _walk(now: datetime, period: Period, zone: ZoneInfo) -> Iterator[Period]:
    while period.start <= now:
        yield period
        period = period_of(period.kind, period.end, zone)


def _zones(rows: Iterable[Record]) -> dict[str, ZoneInfo]:
    """The organisations' time zones, without those of which this machine knows nothing."""
    zones = {}
    for row in rows:
        try:
            zones[row["id"]] = ZoneInfo(row["timezone"])
        except (KeyError, ValueError):
            continue
    return zones


def _report_unknown(rows: Iterable[Record], zones: Mapping[str, ZoneInfo]) -> None:
    for row in rows:
        if row["id"] not in zones:
            log.warning("usage_periods.zone_unknown", org_id=row["id"], timezone=row["timezone"])


def _arguments(periods: Iterable[tuple[str, Period]]) -> list[list[Any]]:
    return columns(((org_id, p.kind, p.start, p.end) for org_id, p in periods), 4)


def _chunks(due: Iterable[Record], at_once: int) -> Iterator[list[Record]]:
    """Organisations whose transaction moves about so many counters; a big one goes alone."""
    chunk: list[Record] = []
    counters = 0
    for row in due:
        if chunk and (counters + row["counters"] >= at_once or len(chunk) == ORGANISATIONS_AT_ONCE):
            yield chunk
            chunk, counters = [], 0
        chunk.append(row)
        counters += row["counters"]
    if chunk:
        yield chunk
