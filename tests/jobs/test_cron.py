"""Cron expressions: every tick as an instant, above all where the clock changes."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import InvalidInput
from worker.jobs.cron import NICKNAMES, Cron

WARSAW, NEW_YORK = "Europe/Warsaw", "America/New_York"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def at(text: str) -> datetime:
    """An instant such as `2026-03-29 01:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(cron: str, zone: str, first: str, last: str) -> list[str]:
    """The ticks from an instant to another, both included."""
    ticks = Cron(cron, zone).after(at(first) - MINUTE)
    return [f"{tick:%m-%d %H:%M}" for tick in takewhile(lambda tick: tick <= at(last), ticks)]


@pytest.mark.parametrize(
    ("cron", "zone", "first", "last", "expected"),
    [
        # In Warsaw 02:00 becomes 03:00 at 01:00 UTC.
        ("30 2 * * *", WARSAW, "2026-03-28 00:00", "2026-03-30 23:00",
         ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("0 2 * * *", WARSAW, "2026-03-28 00:00", "2026-03-30 23:00",
         ["03-28 01:00", "03-29 01:00", "03-30 00:00"]),
        ("0 * * * *", WARSAW, "2026-03-28 23:00", "2026-03-29 03:00",
         ["03-28 23:00", "03-29 00:00", "03-29 01:00", "03-29 02:00", "03-29 03:00"]),
        ("0 2,3 * * *", WARSAW, "2026-03-29 00:00", "2026-03-30 01:00",
         ["03-29 01:00", "03-30 00:00", "03-30 01:00"]),
        ("*/30 2 * * *", WARSAW, "2026-03-28 00:00", "2026-03-30 23:00",
         ["03-28 01:00", "03-28 01:30", "03-30 00:00", "03-30 00:30"]),
        # In Warsaw 03:00 becomes 02:00 at 01:00 UTC.
        ("30 2 * * *", WARSAW, "2026-10-24 00:00", "2026-10-26 23:00",
         ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("0 2 * * *", WARSAW, "2026-10-24 00:00", "2026-10-26 23:00",
         ["10-24 00:00", "10-25 00:00", "10-26 01:00"]),
        ("0 * * * *", WARSAW, "2026-10-24 23:00", "2026-10-25 03:00",
         ["10-24 23:00", "10-25 00:00", "10-25 01:00", "10-25 02:00", "10-25 03:00"]),
        ("*/30 2 * * *", WARSAW, "2026-10-25 00:00", "2026-10-25 23:00",
         ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30"]),
        # In New York 02:00 becomes 03:00 at 07:00 UTC, and 02:00 becomes 01:00 at 06:00 UTC.
        ("30 2 * * *", NEW_YORK, "2026-03-07 00:00", "2026-03-09 23:00",
         ["03-07 07:30", "03-08 07:00", "03-09 06:30"]),
        ("0 2 * * *", NEW_YORK, "2026-03-07 00:00", "2026-03-09 23:00",
         ["03-07 07:00", "03-08 07:00", "03-09 06:00"]),
        ("0 * * * *", NEW_YORK, "2026-03-08 05:00", "2026-03-08 08:00",
         ["03-08 05:00", "03-08 06:00", "03-08 07:00", "03-08 08:00"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31 00:00", "2026-11-02 23:00",
         ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
        ("30 2 * * *", NEW_YORK, "2026-10-31 00:00", "2026-11-02 23:00",
         ["10-31 06:30", "11-01 07:30", "11-02 07:30"]),
        ("0 * * * *", NEW_YORK, "2026-11-01 04:00", "2026-11-01 07:00",
         ["11-01 04:00", "11-01 05:00", "11-01 06:00", "11-01 07:00"]),
        # Lord Howe Island moves by half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
        ("0 */3 * * *", "Australia/Lord_Howe", "2026-10-03 13:00", "2026-10-03 20:00",
         ["10-03 13:30", "10-03 16:00", "10-03 19:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 00:00", "2026-04-05 23:00",
         ["04-04 14:45", "04-05 15:15"]),
        # Midnight is what the clock jumps over in Cairo.
        ("0 0 * * *", "Africa/Cairo", "2026-04-22 00:00", "2026-04-24 23:00",
         ["04-22 22:00", "04-23 22:00", "04-24 21:00"]),
        # There was no 30 December 2011 in Apia: Friday followed Wednesday night's Thursday.
        ("0 2 * * *", "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 00:00",
         ["12-29 12:00", "12-30 10:00", "12-30 12:00", "12-31 12:00"]),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01 00:00", "2012-01-31 00:00", ["12-30 10:00"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29 22:00", "2011-12-30 22:00",
         ["12-29 22:00", "12-30 10:00", "12-30 22:00"]),
    ],
)  # fmt: skip
def test_ticks_where_the_clock_changes(
    cron: str, zone: str, first: str, last: str, expected: list[str]
) -> None:
    assert between(cron, zone, first, last) == expected


@pytest.mark.parametrize(
    ("cron", "first", "expected"),
    [
        ("0 0 31 * *", "2026-01-01", ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]),
        ("0 0 L * *", "2028-01-01", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
        ("0 0 29 2 *", "2026-01-01", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
        ("0 0 29 2 *", "2096-03-01", ["2104-02-29", "2108-02-29", "2112-02-29", "2116-02-29"]),
        ("0 0 1 */6 *", "2026-02-01", ["2026-07-01", "2027-01-01", "2027-07-01", "2028-01-01"]),
        ("0 0 * * MON#1", "2026-01-01", ["2026-01-05", "2026-02-02", "2026-03-02", "2026-04-06"]),
        ("0 0 15 * 5", "2026-02-01", ["2026-02-06", "2026-02-13", "2026-02-15", "2026-02-20"]),
        ("0 0 * * 7", "2026-03-01", ["2026-03-01", "2026-03-08", "2026-03-15", "2026-03-22"]),
        ("@weekly", "2026-03-02", ["2026-03-08", "2026-03-15", "2026-03-22", "2026-03-29"]),
        ("@monthly", "2026-12-31", ["2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01"]),
    ],
)
def test_days(cron: str, first: str, expected: list[str]) -> None:
    ticks = Cron(cron, "UTC").after(at(first) - MINUTE)
    assert [f"{tick:%Y-%m-%d}" for tick in islice(ticks, 4)] == expected


def test_nicknames() -> None:
    assert {*NICKNAMES} == {"@hourly", "@daily", "@weekly", "@monthly"}
    assert between("@hourly", "UTC", "2026-05-05 10:30", "2026-05-05 12:00") == [
        "05-05 11:00", "05-05 12:00",
    ]  # fmt: skip
    assert between("@Daily", WARSAW, "2026-05-05 00:00", "2026-05-06 00:00") == ["05-05 22:00"]


def test_a_tick_is_never_at_the_moment_that_was_asked_about() -> None:
    cron = Cron("30 2 * * *", WARSAW)
    assert next(cron.after(at("2026-05-05 00:30"))) == at("2026-05-06 00:30")
    assert next(cron.after(at("2026-05-05 00:29:59.999999"))) == at("2026-05-05 00:30")
    # The second 02:15 of the night: 02:30 has been, though the clock shows it once more.
    assert next(cron.after(at("2026-10-25 01:15"))) == at("2026-10-26 01:30")


def test_the_latest_tick() -> None:
    cron = Cron("30 2 * * *", WARSAW)
    assert cron.latest(at("2026-05-05 00:30")) == at("2026-05-05 00:30")
    assert cron.latest(at("2026-05-05 00:29:59")) == at("2026-05-04 00:30")
    assert cron.latest(at("2026-10-25 01:45")) == at("2026-10-25 00:30")
    assert Cron("0 0 29 2 *", "UTC").latest(at("2027-01-01 00:00")) == at("2024-02-29 00:00")


@pytest.mark.parametrize(
    "cron",
    [
        "", "* * * *", "* * * * * *", "@yearly", "@reboot", "60 * * * *", "* 24 * * *",
        "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *",
        "0 0 30 2 *", "0 0 31 4,6,9 *", "0 0 */30 2 MON#5", "* * * * *\0", "٣ * * * *",
        "0" * 5000 + " * * * *", "1," * 99 + "1 * * * *", "-1 * * * *", "0 0 L-3 * *",
    ],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused_at_once(cron: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidInput) as caught:
        Cron(cron, "UTC")
    assert caught.value.fields.keys() == {"cron"}
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Mars/Base",
        "America",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "\0",
        "é",
        "+01:00",
    ],
)
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Cron("@daily", zone)
    assert caught.value.fields.keys() == {"timezone"}


@given(st.text(max_size=30) | st.lists(
    st.sampled_from(["*", "*/7", "1", "1-5", "L", "LW", "5L", "MON#2", "/", "#", ",", "-", "²L"]),
    min_size=5, max_size=5,
).map(" ".join))  # fmt: skip
def test_any_text_is_either_refused_or_comes_due(text: str) -> None:
    try:
        cron = Cron(text, WARSAW)
    except InvalidInput:
        return
    now = at("2026-05-05 10:17")
    following = next(cron.after(now))
    assert cron.latest(now) <= now < following
    assert cron.latest(following) == following


numbers = st.sets(st.integers(0, 59), min_size=1, max_size=3)
hours = st.sets(st.integers(0, 4) | st.integers(21, 23), min_size=1, max_size=4)
changes = st.sampled_from(
    [(WARSAW, "2026-03-28"), (WARSAW, "2026-10-24"), (NEW_YORK, "2026-11-01"),
     ("Australia/Lord_Howe", "2026-04-04"), ("Australia/Lord_Howe", "2026-10-03"),
     ("Antarctica/Troll", "2026-10-24"), ("Antarctica/Troll", "2026-03-28"),
     ("America/Santiago", "2026-04-04"), ("America/Nuuk", "2026-10-24"),
     ("Asia/Kathmandu", "2026-05-05")]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(numbers, hours, changes)
def test_ticks_that_follow_the_clock_are_the_minutes_when_it_shows_them(
    minutes: set[int], shown: set[int], change: tuple[str, str]
) -> None:
    """Against a reading of the zone's clock at every minute of three days."""
    zone, begin = ZoneInfo(change[0]), at(change[1])
    instants = [begin + n * MINUTE for n in range(3 * 24 * 60)]
    walls = {instant: instant.astimezone(zone) for instant in instants}
    expected = [i for i, w in walls.items() if w.minute in minutes and w.hour in shown]
    # `*/24` leaves only the hour 0: it makes the field begin with `*` and names nothing else.
    cron = Cron(f"{_listed(minutes)} {_listed({0, *shown}, '*/24')} * * *", change[0])
    if 0 not in shown:
        expected = sorted(
            {*expected, *(i for i, w in walls.items() if not w.hour and w.minute in minutes)}
        )
    assert list(takewhile(lambda t: t < begin + 3 * DAY, cron.after(begin - MINUTE))) == expected


@settings(max_examples=60, deadline=None)
@given(numbers, hours, changes)
def test_fixed_times_come_once_a_day_wherever_the_clock_goes(
    minutes: set[int], shown: set[int], change: tuple[str, str]
) -> None:
    """Against the wall times of five days, of which the clock may jump over some."""
    zone, begin = ZoneInfo(change[0]), at(change[1])
    cron = Cron(f"{_listed(minutes)} {_listed(shown)} * * *", change[0])
    ticks = list(takewhile(lambda t: t < begin + 3 * DAY, cron.after(begin - MINUTE)))
    assert ticks == sorted(set(ticks))
    midnight = begin.replace(tzinfo=None) - DAY
    walls = [midnight + n * MINUTE for n in range(5 * 24 * 60)]
    wanted = [w.replace(tzinfo=zone) for w in walls if w.minute in minutes and w.hour in shown]
    found = {_first_real(w).astimezone(UTC) for w in wanted}
    assert ticks == sorted(t for t in found if begin <= t < begin + 3 * DAY)


def _listed(values: set[int], *more: str) -> str:
    return ",".join([*more, *map(str, sorted(values))])


def _first_real(wall: datetime) -> datetime:
    """The wall time itself, or the first that exists after it."""
    while wall.astimezone(UTC).astimezone(wall.tzinfo) != wall:
        wall += MINUTE
    return wall
