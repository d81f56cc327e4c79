"""From events to counters: sums by metric and period, whatever the zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import InvalidInput
from worker.jobs.tenant_payloads import UsageEvent
from worker.tenants.periods.calendar import KINDS, period_of
from worker.tenants.usage.counting import (
    MOST_NAMED,
    NEWEST,
    OLDEST,
    Batch,
    Counter,
    growths,
    tally,
    times_of,
)

NOW = datetime(2026, 3, 28, 22, 59, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=200)
ZONES = (
    "UTC", "Europe/Warsaw", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Apia", "America/Havana",
)  # fmt: skip
# Over a year, and closely around the night in which Europe's clocks change.
MOMENTS = (st.integers(-180 * 1440, 200 * 1440) | st.integers(-180, 360)).map(
    lambda minutes: NOW + timedelta(minutes=minutes)
)
EVENTS = st.builds(
    UsageEvent,
    metric=st.sampled_from(["calls", "storage.bytes"]),
    quantity=st.integers(0, 1_000_000_000),
    timestamp=MOMENTS | st.none(),
)


def used(metric: str = "calls", quantity: int = 1, at: datetime | None = None) -> UsageEvent:
    return UsageEvent(metric=metric, quantity=quantity, timestamp=at)


def test_an_event_grows_its_hour_day_and_month() -> None:
    batch = Batch("o", "b", tally([used(quantity=3, at=NOW), used(quantity=4, at=NOW)], NOW))
    found = growths([(batch, "Europe/Warsaw")])
    assert {(c.kind, c.start.isoformat()): (g.quantity, g.events) for c, g in found.items()} == {
        ("hour", "2026-03-28T22:00:00+00:00"): (7, 2),
        ("day", "2026-03-27T23:00:00+00:00"): (7, 2),
        ("month", "2026-02-28T23:00:00+00:00"): (7, 2),
    }


def test_an_event_without_a_time_was_used_when_it_was_accepted() -> None:
    assert tally([used(quantity=5)], NOW) == tally([used(quantity=5, at=NOW)], NOW)


@given(
    batches=st.lists(st.lists(EVENTS, min_size=1, max_size=8), max_size=4),
    zone=st.sampled_from(ZONES),
)
def test_sums_are_those_of_the_single_events(batches: list[list[UsageEvent]], zone: str) -> None:
    expected: dict[Counter, tuple[int, int]] = {}
    for event in (e for batch in batches for e in batch):
        for kind in KINDS:
            period = period_of(kind, event.timestamp or LATER, ZoneInfo(zone))
            counter = Counter("o", event.metric, kind, period.start)
            quantity, events = expected.get(counter, (0, 0))
            expected[counter] = quantity + event.quantity, events + 1
    found = growths(
        (Batch("o", str(number), tally(events, LATER)), zone)
        for number, events in enumerate(batches)
    )
    assert {c: (g.quantity, g.events) for c, g in found.items()} == expected
    for counter, growth in found.items():
        period = period_of(counter.kind, counter.start, ZoneInfo(zone))
        assert (counter.start, growth.end) == (period.start, period.end)


def test_organisations_are_kept_apart() -> None:
    sums = tally([used(at=NOW)], NOW)
    found = growths([(Batch("a", "1", sums), "UTC"), (Batch("b", "1", sums), "Asia/Kathmandu")])
    assert {(c.org_id, c.start.minute) for c in found if c.kind == "hour"} == {("a", 0), ("b", 15)}


@pytest.mark.parametrize("at", [NOW - OLDEST, NOW + NEWEST, NOW, None])
def test_times_that_may_be(at: datetime | None) -> None:
    times_of([used(at=at)], NOW)


def test_times_that_cannot_be_are_named() -> None:
    second = timedelta(seconds=1)
    events = [used(at=NOW), used(at=NOW - OLDEST - second), used(at=NOW + NEWEST + second)]
    with pytest.raises(InvalidInput) as caught:
        times_of(events, NOW)
    assert caught.value.fields == {
        "events.1.timestamp": "is too old", "events.2.timestamp": "is in the future",
    }  # fmt: skip


def test_no_more_are_named_than_anybody_reads() -> None:
    with pytest.raises(InvalidInput) as caught:
        times_of([used(at=NOW - OLDEST * 2)] * 1000, NOW)
    assert len(caught.value.fields) == MOST_NAMED
