"""When a cron expression in a time zone falls due, through changes of the clock. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from worker.errors import InvalidInput

MAX_LENGTH = 200
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_FIELDS = 5
# Files beside the zones that say something else on every machine.
_OF_THE_MACHINE = {"localtime", "posixrules"}
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
# 29 February falls on a given weekday at least once in forty years, the century's break included.
_ANY_FORTY_YEARS = date(2000, 1, 1), 40 * 366


class Cron:
    """Five fields (minute, hour, day of month, month, day of week) or one of `NICKNAMES`.

    A time that the clock jumps over in spring falls due at the moment of the jump, and one that
    comes twice in autumn only the first time. But where the field of minutes or of hours begins
    with `*`, ticks follow the clock as it runs: none where it jumps, and both where it repeats.
    Raises InvalidInput naming `cron` or `timezone`.
    """

    def __init__(self, expression: str, timezone: str) -> None:
        self._fields = _parsed(expression)
        self._zone = _zone(timezone)
        minutes, hours = self._fields.parts[1:3]
        self._at_fixed_times = not (minutes.startswith("*") or hours.startswith("*"))
        self._times = [
            time(hour, minute)
            for hour in sorted(self._fields.hours)
            for minute in sorted(self._fields.minutes)
        ]
        if not any(self._falls_on(day) for day in _days(*_ANY_FORTY_YEARS)):
            raise _refused("cron", "names a date that never comes")

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The ticks later than `moment`, in UTC, without end."""
        # A day that the calendar of the zone leaves out falls due at the beginning of the next.
        day = moment.astimezone(self._zone).date() - _DAY
        while True:
            for tick in self._on(day):
                if tick > moment:
                    moment = tick
                    yield tick
            day += _DAY

    def latest(self, moment: datetime) -> datetime:
        """The last tick at or before `moment`, in UTC."""
        day = moment.astimezone(self._zone).date()
        while True:
            past = [tick for tick in self._on(day) if tick <= moment]
            if past:
                return past[-1]
            day -= _DAY

    def _falls_on(self, day: date) -> bool:
        return day.month in self._fields.months and self._fields.match_day(day)

    def _on(self, day: date) -> list[datetime]:
        if not self._falls_on(day):
            return []
        walls = [datetime.combine(day, each) for each in self._times]
        offset = self._offset(day)
        if offset == self._offset(day + _DAY):
            return [(wall - offset).replace(tzinfo=UTC) for wall in walls]
        return sorted({instant for wall in walls for instant in self._instants(wall)})

    def _offset(self, day: date) -> timedelta:
        offset = datetime.combine(day, time(), self._zone).utcoffset()
        assert offset is not None
        return offset

    def _instants(self, wall: datetime) -> Iterator[datetime]:
        if not self._exists(wall):
            if self._at_fixed_times:
                yield self._end_of_jump(wall)
            return
        yield self._utc(wall)
        if not self._at_fixed_times:
            yield self._utc(wall.replace(fold=1))

    def _end_of_jump(self, wall: datetime) -> datetime:
        while not self._exists(wall):
            wall += _MINUTE
        return self._utc(wall)

    def _exists(self, wall: datetime) -> bool:
        return self._utc(wall).astimezone(self._zone).replace(tzinfo=None) == wall

    def _utc(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self._zone).astimezone(UTC)


def _days(first: date, count: int) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(count))


def _parsed(expression: str) -> CronSim:
    text = NICKNAMES.get(expression.strip().lower(), expression)
    if len(text) > MAX_LENGTH or len(text.split()) != _FIELDS:
        known = ", ".join(NICKNAMES)
        raise _refused("cron", f"needs five fields such as 0 2 * * *, or one of {known}")
    try:
        return CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError) as error:
        raise _refused("cron", f"cannot be read: {str(error).lower()}") from None


def _zone(name: str) -> ZoneInfo:
    try:
        if name not in _OF_THE_MACHINE:
            return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        pass
    raise _refused("timezone", "must be a time zone such as UTC or Europe/Warsaw")


def _refused(field: str, problem: str) -> InvalidInput:
    return InvalidInput(f"{field} {problem}", {field: problem})
