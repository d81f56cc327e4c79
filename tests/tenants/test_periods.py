"""Usage periods partition time, in every time zone, whatever is done to its clocks."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.jobs.tenant_payloads import PeriodKind
from worker.tenants.periods.calendar import KINDS, period_of

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
INSTANT, SECOND = timedelta(microseconds=1), timedelta(seconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = sorted(available_timezones())

# Clocks that were changed in some way of their own: instants on whose sides a period may differ.
ODD = {
    "Australia/Lord_Howe": "2024-04-06T15:00Z",  # Set back by half an hour.
    "Asia/Kathmandu": "1985-12-31T18:30Z",  # From 05:30 to 05:45.
    "Pacific/Apia": "2011-12-30T10:00Z",  # A day left out.
    "Pacific/Kwajalein": "1993-08-21T12:00Z",  # Another.
    "America/Sao_Paulo": "2018-11-04T03:00Z",  # No midnight.
    "Africa/Cairo": "2023-04-27T22:00Z",  # No midnight, as the clock struck it.
    "Asia/Beirut": "2024-03-30T22:00Z",
    "America/Havana": "2024-11-03T05:00Z",  # Midnight comes twice.
    "America/St_Johns": "2010-11-07T02:31Z",  # Yesterday comes back for 59 minutes.
    "Africa/Monrovia": "1972-01-07T00:44:30Z",  # An offset of odd seconds.
    "Antarctica/Troll": "2024-03-31T01:00Z",  # Two hours at once.
    "America/Caracas": "2016-05-01T07:00Z",  # In the midst of an hour.
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A moment in a zone, often one at which its clock is changed."""
    zone = draw(st.sampled_from(ZONES))
    seconds = st.floats(FIRST.timestamp(), LAST.timestamp())
    changes = changes_of(zone)
    if not changes or draw(st.booleans()):
        return ZoneInfo(zone), datetime.fromtimestamp(draw(seconds), UTC)
    near = draw(st.sampled_from([-DAY, -HOUR, -SECOND, -INSTANT, timedelta(), HOUR, DAY]))
    return ZoneInfo(zone), draw(st.sampled_from(changes)) + near


@cache
def changes_of(name: str) -> list[datetime]:
    """When a zone's offset changes, to the second, as far as trying every month tells."""
    zone, found = ZoneInfo(name), []
    month, moment = timedelta(days=30), FIRST
    while moment.year < 2040:
        before, after = moment, moment + month
        offset = moment.astimezone(zone).utcoffset()
        if after.astimezone(zone).utcoffset() != offset:
            while after - before > SECOND:
                middle = before + (after - before) // SECOND // 2 * SECOND
                same = middle.astimezone(zone).utcoffset() == offset
                before, after = (middle, after) if same else (before, middle)
            found.append(after)
        moment += month
    return found


@settings(max_examples=400)
@given(moments(), st.sampled_from(KINDS), st.floats(0, 0.99))
@example((ZoneInfo("America/St_Johns"), at("2010-11-07T02:35Z")), "day", 0.5)
@example((ZoneInfo("Pacific/Apia"), at("2011-12-30T09:59Z")), "day", 0.5)
def test_periods_partition_time(
    moment: tuple[ZoneInfo, datetime], kind: PeriodKind, part: float
) -> None:
    zone, instant = moment
    period = period_of(kind, instant, zone)
    assert period.kind == kind
    assert period.start.tzinfo is period.end.tzinfo is UTC
    assert period.start <= instant < period.end
    for inside in (
        period.start, period.start + (period.end - period.start) * part, period.end - INSTANT,
    ):  # fmt: skip
        assert period_of(kind, inside, zone) == period
    assert period_of(kind, period.end, zone).start == period.end
    assert period_of(kind, period.start - INSTANT, zone).end == period.start


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", KINDS)
def test_no_gap_and_no_overlap_around_an_odd_change(name: str, kind: PeriodKind) -> None:
    zone, change = ZoneInfo(name), at(ODD[name])
    offsets = {(change - m).astimezone(zone).utcoffset() for m in (SECOND, timedelta())}
    assert len(offsets) == 2, "the clock is changed at this very second"
    moment = change - 2 * DAY
    while moment < change + 2 * DAY:
        period = period_of(kind, moment, zone)
        assert period.start == moment or moment == change - 2 * DAY
        assert period_of(kind, period.end - INSTANT, zone) == period
        moment = period.end


@settings(max_examples=200)
@given(moments())
def test_each_kind_lies_within_the_next_greater_one(moment: tuple[ZoneInfo, datetime]) -> None:
    zone, instant = moment
    day = period_of("day", instant, zone)
    month = period_of("month", instant, zone)
    assert month.start <= day.start
    assert day.end <= month.end


@settings(max_examples=200)
@given(moments())
def test_a_period_begins_when_its_clock_first_says_so(moment: tuple[ZoneInfo, datetime]) -> None:
    zone, instant = moment
    for kind in ("day", "month"):
        start = period_of(kind, instant, zone).start
        before, after = ((start - m).astimezone(zone).date() for m in (SECOND, timedelta()))
        assert before < after
        assert kind == "day" or (before.year, before.month) < (after.year, after.month)


@pytest.mark.parametrize(
    ("zone", "kind", "moment", "start", "end"),
    [
        ("UTC", "hour", "2026-03-29T10:59:59.999999Z", "2026-03-29T10:00Z", "2026-03-29T11:00Z"),
        ("UTC", "month", "2024-02-29T23:59Z", "2024-02-01T00:00Z", "2024-03-01T00:00Z"),
        ("Europe/Berlin", "day", "2026-03-29T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("Europe/Berlin", "day", "2026-10-25T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("Europe/Berlin", "month", "2026-03-31T22:00Z", "2026-03-31T22:00Z", "2026-04-30T22:00Z"),
        ("Europe/Berlin", "month", "2026-12-31T23:00Z", "2026-12-31T23:00Z", "2027-01-31T23:00Z"),
        # 02:00 to 03:00 twice: two periods.
        ("Europe/Berlin", "hour", "2026-10-25T00:30Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z"),
        ("Europe/Berlin", "hour", "2026-10-25T01:30Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"),
        ("Asia/Kathmandu", "hour", "2026-01-01T00:00Z", "2025-12-31T23:15Z", "2026-01-01T00:15Z"),
        ("Asia/Kathmandu", "day", "2026-01-01T00:00Z", "2025-12-31T18:15Z", "2026-01-01T18:15Z"),
        # From 02:00 back to 01:30: an hour, its last half again, and on.
        ("Australia/Lord_Howe", "hour", "2024-04-06T14:59Z", "2024-04-06T14:00Z",
         "2024-04-06T15:00Z"),
        ("Australia/Lord_Howe", "hour", "2024-04-06T15:00Z", "2024-04-06T15:00Z",
         "2024-04-06T15:30Z"),
        # From 02:00 to 02:30: half an hour.
        ("Australia/Lord_Howe", "hour", "2024-10-05T15:40Z", "2024-10-05T15:30Z",
         "2024-10-05T16:00Z"),
        # The 29th ends where the 31st begins.
        ("Pacific/Apia", "day", "2011-12-30T09:59:59Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "day", "2011-12-30T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"),
        # 23:59:59 and then 01:00:00: a day of 23 hours from there.
        ("America/Sao_Paulo", "day", "2018-11-04T12:00Z", "2018-11-04T03:00Z",
         "2018-11-05T02:00Z"),
        ("Africa/Cairo", "day", "2023-04-28T12:00Z", "2023-04-27T22:00Z", "2023-04-28T21:00Z"),
        ("Asia/Beirut", "day", "2024-03-31T12:00Z", "2024-03-30T22:00Z", "2024-03-31T21:00Z"),
        # Midnight twice: the day of 25 hours begins with the first.
        ("America/Havana", "day", "2024-11-03T05:30Z", "2024-11-03T04:00Z", "2024-11-04T05:00Z"),
        # At 00:01 back to 23:01: what then is shown as yesterday is of the day that has begun.
        ("America/St_Johns", "day", "2010-11-07T02:40Z", "2010-11-07T02:30Z",
         "2010-11-08T03:30Z"),
        ("America/St_Johns", "hour", "2010-11-07T02:30:30Z", "2010-11-07T02:30Z",
         "2010-11-07T02:31Z"),
    ],
)  # fmt: skip
def test_periods(zone: str, kind: PeriodKind, moment: str, start: str, end: str) -> None:
    period = period_of(kind, at(moment), ZoneInfo(zone))
    assert (period.start, period.end) == (at(start), at(end))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        ("Australia/Lord_Howe", date(2024, 10, 6), 23.5),
        ("Antarctica/Troll", date(2024, 3, 31), 22),
        ("UTC", date(2026, 3, 29), 24),
    ],
)
def test_how_long_a_day_is(zone: str, day: date, hours: float) -> None:
    noon = datetime.combine(day, time(12), ZoneInfo(zone))
    period = period_of("day", noon, ZoneInfo(zone))
    assert period.end - period.start == hours * HOUR


def test_the_moment_may_be_given_in_any_zone() -> None:
    moment = at("2026-10-25T00:30Z")
    here, there = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
    for kind in KINDS:
        assert period_of(kind, moment.astimezone(there), here) == period_of(kind, moment, here)
