"""Identifiers: version 7, in order, never twice."""

import time

import pytest

from worker.jobs.ids import new_id


def test_an_id_is_a_version_7_uuid_of_the_standard_variant() -> None:
    for made in (new_id() for _ in range(200)):
        assert made.version == 7
        assert made.variant == "specified in RFC 4122"


def test_an_id_begins_with_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = new_id().int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000 + 1


def test_each_id_is_greater_than_the_one_before_it() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_an_id_stays_greater_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    assert before < new_id() < new_id()


def test_nobody_can_guess_the_rest_of_an_id() -> None:
    ones, zeros = 0, 0
    for value in (new_id().int for _ in range(200)):
        ones, zeros = ones | value, zeros | ~value
    random_bits = 0x3FFFFFFFFFFFFFFF
    assert ones & random_bits == zeros & random_bits == random_bits
