"""Trace context: what is continued, what is not believed, and what a new trace looks like."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.jobs.trace import new_traceparent, trace_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WHOLE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_callers_trace_is_continued_by_a_new_span(flags: str) -> None:
    version, trace, span, kept = new_traceparent(f"00-{TRACE}-{SPAN}-{flags}").split("-")
    assert (version, trace, kept) == ("00", TRACE, flags)
    assert span != SPAN


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    made = new_traceparent(f"cc-{TRACE}-{SPAN}-09-what-the-future-will-be")
    assert (made[:3], trace_id(made), made[-2:]) == ("00-", TRACE, "01")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_anything_else_begins_a_sampled_trace(header: str | None) -> None:
    first, second = new_traceparent(header), new_traceparent(header)
    assert WHOLE.fullmatch(first)
    assert first.endswith("-01")
    assert len({TRACE, trace_id(first), trace_id(second)}) == 3


@given(header=st.one_of(st.none(), st.text(), st.from_regex(r"\A[0-9a-f-]{40,60}\Z")))
def test_whatever_is_sent_the_record_takes_what_is_made(header: str | None) -> None:
    made = new_traceparent(header)
    assert WHOLE.fullmatch(made)
    assert trace_id(made) != "0" * 32
