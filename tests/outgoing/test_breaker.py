"""The breaker: when it opens, for how long, and what closes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.outgoing.breaker import Breaker, open_seconds
from worker.outgoing.outcomes import Sent
from worker.outgoing.retrying import rest, retry_delay

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def after(failures: int, breaker: Breaker | None = None) -> tuple[Breaker, datetime]:
    """After so many failures, each as soon as it may be; and when the last one was."""
    breaker, now = breaker or Breaker(), NOW
    for _ in range(failures):
        now = max(now, breaker.open_until or now) + timedelta(seconds=1)
        breaker = breaker.failed(now, now)
    return breaker, now


def test_it_stays_closed_for_all_the_retries_of_one_delivery() -> None:
    breaker, now = after(5)
    assert not breaker.is_open(now)
    assert breaker.open_until is None
    assert breaker.failures == 5


def test_it_opens_for_thirty_seconds_and_then_lets_one_try() -> None:
    breaker, now = after(6)
    assert breaker.is_open(now + timedelta(seconds=29.9))
    assert not breaker.is_open(now + timedelta(seconds=30))
    assert not breaker.is_open(now + timedelta(seconds=30))


def test_each_failed_probe_doubles_the_time_up_to_an_hour() -> None:
    assert [open_seconds(n) for n in range(4, 15)] == [
        0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600,
    ]  # fmt: skip
    assert open_seconds(100_000) == 3600


def test_what_was_under_way_when_it_opened_counts_for_nothing() -> None:
    breaker, now = after(6)
    for seconds in (0, 1, 29, 31, 60):
        late = breaker.failed(now - timedelta(seconds=1), now + timedelta(seconds=seconds))
        assert late == breaker


def test_a_probe_that_fails_ends_its_turn() -> None:
    breaker, now = after(6)
    later = now + timedelta(seconds=31)
    probing = replace(breaker, probing_until=later + timedelta(seconds=45))
    assert probing.failed(later, later).probing_until is None


def test_it_remembers_since_when_it_fails() -> None:
    breaker, _ = after(12)
    assert breaker.failing_since == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("failures", "days", "hopeless"),
    [(20, 5, True), (19, 5, False), (20, 4.99, False), (500, 0, False), (0, 30, False)],
)
def test_five_days_and_twenty_failures_are_hopeless(
    failures: int, days: float, hopeless: bool
) -> None:
    since = NOW if failures else None
    assert Breaker(failures, since).is_hopeless(NOW + timedelta(days=days)) is hopeless


@given(st.lists(st.floats(0, 10_000), max_size=40))
def test_it_is_never_open_for_longer_than_an_hour_nor_forgets(waits: list[float]) -> None:
    breaker, now = Breaker(), NOW
    for wait in waits:
        now += timedelta(seconds=wait)
        before, breaker = breaker, breaker.failed(now, now)
        assert before.failures <= breaker.failures <= before.failures + 1
        assert (breaker.failures == 0) == (breaker.failing_since is None)
        assert (breaker.open_until is not None) == (breaker.failures >= 6)
        assert not breaker.is_open(now + timedelta(hours=1))


@pytest.mark.parametrize(
    ("schedule", "delays"),
    [("short", [1, 2, 4, 8, 16, 16]), ("long", [5, 300, 1800, 7200, 18_000, 18_000])],
)
def test_the_schedules(schedule: str, delays: list[float]) -> None:
    assert [retry_delay(schedule, n, Sent(500, "server_error")) for n in range(6)] == delays


@pytest.mark.parametrize(("told", "delay"), [(None, 4), (1.0, 4), (60.0, 60), (3600.0, 3600)])
def test_a_retry_after_makes_it_later_and_never_earlier(told: float | None, delay: float) -> None:
    assert retry_delay("short", 2, Sent(429, "rate_limited", retry_after=told)) == delay


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_endpoint_gets_a_rest(status: int) -> None:
    assert rest(4.0, Sent(status, "server_error")) == 4.0
    assert rest(600.0, Sent(status, "server_error", retry_after=600.0)) == 600.0


def test_without_being_asked_the_rest_is_short_even_if_the_retry_is_late() -> None:
    assert rest(18_000.0, Sent(503, "server_error")) == 30.0


@pytest.mark.parametrize("status", [400, 404, 500, 501, None])
def test_one_that_is_not_busy_gets_none(status: int | None) -> None:
    assert rest(4.0, Sent(status, "client_error")) == 0.0
