"""Usage periods: the hours, days and months of an organisation's own clock."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from worker.jobs.tenant_payloads import PeriodKind

KINDS: tuple[PeriodKind, ...] = ("hour", "day", "month")

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LONGEST_MONTH = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Period:
    """What lies between two instants, both aware and in UTC: `start <= moment < end`."""

    kind: PeriodKind
    start: datetime
    end: datetime


def period_of(kind: PeriodKind, moment: datetime, zone: ZoneInfo) -> Period:
    """The period of this kind that an aware moment belongs to.

    The periods of a kind partition time. An hour ends where the local hour does or the offset
    changes: one that happens twice is two. A day or month begins when its first midnight, or
    anything after that, is first shown: a day that was skipped has no period.
    """
    # Clocks are changed on whole seconds, and so is every boundary.
    moment = moment.astimezone(UTC).replace(microsecond=0)
    return _hour(moment, zone) if kind == "hour" else _calendar(kind, moment, zone)


def _hour(moment: datetime, zone: ZoneInfo) -> Period:
    offset = _offset(moment, zone)
    start = (moment + offset).replace(minute=0, second=0) - offset
    end = start + _HOUR
    if _offset(start, zone) != offset:
        start = _first(start, moment, lambda instant: _offset(instant, zone) == offset)
    if _offset(end - _SECOND, zone) != offset:
        end = _first(moment, end, lambda instant: _offset(instant, zone) != offset)
    return Period("hour", start, end)


def _calendar(kind: Literal["day", "month"], moment: datetime, zone: ZoneInfo) -> Period:
    local = moment.astimezone(zone).date()
    day = local.replace(day=1) if kind == "month" else local
    after = _next(kind, day)
    # Clocks set back over midnight show the former date again, yet the new day has begun.
    while (end := _beginning(after, zone)) <= moment:
        day, after = after, _next(kind, after)
    return Period(kind, _beginning(day, zone), end)


def _next(kind: Literal["day", "month"], first: date) -> date:
    return first + _DAY if kind == "day" else (first + _LONGEST_MONTH).replace(day=1)


def _beginning(day: date, zone: ZoneInfo) -> datetime:
    """The first instant at which the local clock shows the day's midnight, or more."""
    midnight = datetime.combine(day, time(), zone)
    first, second = midnight.astimezone(UTC), midnight.replace(fold=1).astimezone(UTC)
    if first <= second:
        return first
    # There was no midnight. The clock jumped over it between these two.
    return _first(second, first, lambda instant: instant.astimezone(zone).date() >= day)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _first(before: datetime, after: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """The second from which on something holds that does so `after`, and not yet `before`."""
    seconds = range((after - before) // _SECOND)
    passed = bisect_left(seconds, True, key=lambda second: holds(before + second * _SECOND))
    return before + passed * _SECOND
