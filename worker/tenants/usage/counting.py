"""From usage events to what each counter grows by; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from worker.errors import InvalidInput
from worker.jobs.tenant_payloads import PeriodKind, UsageEvent
from worker.tenants.periods.calendar import KINDS, Period, period_of

OLDEST, NEWEST = timedelta(days=400), timedelta(minutes=5)
MOST_NAMED = 20
# Every zone's periods begin and end on whole minutes.
_MINUTE = 60

Tally = dict[tuple[str, int], tuple[int, int]]
"""Quantity and number of events by metric and minute since the epoch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that is to be counted."""

    org_id: str
    batch_id: str
    tally: Tally


class Counter(NamedTuple):
    """Which counter; their order is the one that every worker locks them in."""

    org_id: str
    metric: str
    kind: PeriodKind
    start: datetime


@dataclass(slots=True)
class Growth:
    """By how much a counter grows, and when its period ends."""

    end: datetime
    quantity: int = 0
    events: int = 0


def times_of(events: Sequence[UsageEvent], accepted_at: datetime) -> list[float]:
    """When each was used, in Unix time; without a timestamp, when it was accepted.

    Raises InvalidInput naming the first that are too old or of the future.
    """
    accepted = accepted_at.timestamp()
    times = [at.timestamp() if (at := e.timestamp) is not None else accepted for e in events]
    earliest = accepted - OLDEST.total_seconds()
    latest = accepted + NEWEST.total_seconds()
    if min(times) < earliest or max(times) > latest:
        raise _refused(times, earliest, latest)
    return times


def tally(events: Sequence[UsageEvent], accepted_at: datetime) -> Tally:
    """The sums of a batch. Raises what `times_of` does."""
    sums: Tally = {}
    for event, time in zip(events, times_of(events, accepted_at), strict=True):
        key = event.metric, int(time) // _MINUTE
        quantity, count = sums.get(key, (0, 0))
        sums[key] = quantity + event.quantity, count + 1
    return sums


def growths(batches: Iterable[tuple[Batch, str]]) -> dict[Counter, Growth]:
    """What batches, each with its organisation's time zone, add to which counters."""
    grown: dict[Counter, Growth] = {}
    for batch, zone in batches:
        for (metric, minute), (quantity, events) in batch.tally.items():
            for period in _periods(zone, minute):
                counter = Counter(batch.org_id, metric, period.kind, period.start)
                growth = grown.get(counter)
                if growth is None:
                    growth = grown[counter] = Growth(period.end)
                growth.quantity += quantity
                growth.events += events
    return grown


def _refused(times: Iterable[float], earliest: float, latest: float) -> InvalidInput:
    wrong = (
        (f"events.{number}.timestamp", "is in the future" if time > latest else "is too old")
        for number, time in enumerate(times)
        if not earliest <= time <= latest
    )
    limits = f"at most {OLDEST.days} days old, and {NEWEST.seconds // 60} minutes ahead"
    message = f"The times of usage events must be {limits}."
    return InvalidInput(message, dict(islice(wrong, MOST_NAMED)))


@lru_cache(maxsize=50_000)
def _periods(zone: str, minute: int) -> tuple[Period, ...]:
    moment = datetime.fromtimestamp(minute * _MINUTE, UTC)
    return tuple(period_of(kind, moment, ZoneInfo(zone)) for kind in KINDS)
