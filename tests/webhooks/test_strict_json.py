"""Strict JSON: each class of bad document, the same on every Python, and never slow."""

import json
import time
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deliveries import load
from webhooks.github.strict_json import MAX_DEPTH, parse_object
from worker.errors import InvalidInput

LARGE = 24_900_000


def refusal(body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_object(body)
    assert len(caught.value.message) < 200
    assert caught.value.message.isprintable()
    return caught.value.message


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b'{"a":1', "ends too early"),
        (b'{"a":', "ends too early"),
        (b'{"a":"b', "Unterminated string"),
        (b"push", "malformed at character 0"),
        (b"payload=%7B%7D", "malformed"),
        (b"{} {}", "Extra data"),
        (b'{"a":1}\0', "Extra data"),
        (b"{'a':1}", "malformed"),
        (b'{"a":01}', "malformed"),
        (b'{"a":"\n"}', "Invalid control character"),
        (b'{"a":"\\x"}', "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b"[{}]", "an array"),
        (b'"text"', "a string"),
        (b"7", "a number"),
        (b"1.5", "a number"),
        (b"true", "a boolean"),
        (b"null", "null"),
        (b'{"a":1,"a":1}', "key 'a' twice"),
        (b'{"x":[{"b":1,"a":2,"\\u0061":3}]}', "key 'a' twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":Infinity}', "Infinity"),
        (b'{"a":[-Infinity]}', "-Infinity"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":-1e999}', "out of range"),
        (b'{"a":0.' + b"1" * 200 + b"}", "out of range"),
        (b'{"a":9223372036854775808}', "past 64 bits"),
        (b'{"a":-9223372036854775809}', "past 64 bits"),
        (b'{"a":' + b"9" * 5000 + b"}", "past 64 bits"),
        (b'{"a":"\\u0000"}', "NUL"),
        (b'{"\\u0000":1}', "NUL"),
        (b'{"a":[{"b":["\\uD800"]}]}', "lone surrogate"),
        (b'{"a":"\\udfff\\ud800"}', "lone surrogate"),
        (b'{"a":{"\\uDc00":1}}', "lone surrogate"),
    ],
)
def test_each_fault_is_named(body: bytes, said: str) -> None:
    assert said in refusal(body)


@pytest.mark.parametrize("depth", [65, 66, 500, 995, 3000, 50_000, 1_000_000])
def test_deep_nesting_is_refused_the_same_at_every_depth(depth: int) -> None:
    assert refusal(nested(depth)) == f"The JSON is nested deeper than {MAX_DEPTH} levels."


def test_the_deepest_nesting_allowed() -> None:
    assert parse_object(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))


def test_depth_is_not_mistaken_for_breadth_or_text() -> None:
    body = json.dumps({"wide": [{}] * 500, "text": "{[" * 500}).encode()
    assert parse_object(body) == json.loads(body)


@pytest.mark.parametrize(
    "text", ["\\ud83c\\udf0a", "\\\\u0000", "\\\\ud800", "\\ud7ff", "\\u00e9", "{/sha}"]
)
def test_harmless_escapes_are_kept(text: str) -> None:
    body = f'{{"a":["{text}"]}}'.encode()
    assert parse_object(body) == json.loads(body)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, -1, 1.5, -2.5e-300, 1e308])
def test_numbers_in_range_are_kept(number: float) -> None:
    assert parse_object(json.dumps({"a": number}).encode()) == {"a": number}


@given(st.text(st.characters(codec="utf-8"), max_size=100))
@settings(deadline=None)
def test_messages_quote_little_and_only_printable_text(key: str) -> None:
    member = json.dumps(key * 20)
    body = f"{{{member}:1,{member}:2}}".encode()
    assert "twice" in refusal(body) or "NUL" in refusal(body)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
STORABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, STORABLE, max_size=4))
@settings(deadline=None)
def test_whatever_can_be_stored_is_read_as_written(document: dict[str, object]) -> None:
    for ascii_only in (True, False):
        assert parse_object(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


HUGE: dict[str, Callable[[], bytes]] = {
    "digits": lambda: b'{"a":' + b"9" * LARGE + b"}",
    "fraction": lambda: b'{"a":0.' + b"9" * LARGE + b"}",
    "exponent": lambda: b'{"a":1e' + b"9" * LARGE + b"}",
    "brackets": lambda: b"[" * LARGE,
    "depth": lambda: nested(1_490_000),
    "objects": lambda: b'{"a":' * (LARGE // 5),
    "arrays": lambda: b'{"a":[' + b"[]," * (LARGE // 3) + b"1]}",
    "numbers": lambda: b'{"a":[' + b"1," * (LARGE // 2) + b"1]}",
    "spaces": lambda: b" " * LARGE,
    "unterminated": lambda: b'{"a":"' + b"x" * LARGE,
    "duplicate": lambda: b'{"' + b"k" * (LARGE // 2) + b'":1,"' + b"k" * (LARGE // 2) + b'":1}',
    "nul": lambda: b'{"a":"' + b"x" * LARGE + b'\\u0000"}',
}


@cache
def yardstick() -> float:
    """How long the standard parser takes for as many bytes of valid JSON, on this machine."""
    document = b"[" + b"1," * (LARGE // 2) + b"1]"
    return seconds(lambda: json.loads(document))


def seconds(act: Callable[[], object]) -> float:
    """How long it takes, in time of this process."""
    started = time.process_time()
    act()
    return time.process_time() - started


@pytest.mark.parametrize("name", HUGE)
def test_huge_bad_documents_are_refused_quickly(name: str) -> None:
    body = HUGE[name]()
    assert seconds(lambda: refusal(body)) < 2 * yardstick()


@pytest.mark.parametrize("text", ["é", "…", "🌊", 'a🌊é…\u2028\\n"', "\uffff"])
def test_large_documents_keep_characters_of_every_width(text: str) -> None:
    document = {
        "before": [0] * 100_000,
        "text": text * 20_000,
        text: text,
        "after": [text] * 20_000,
    }
    for spaces in (None, 1):
        body = json.dumps(document, ensure_ascii=False, indent=spaces).encode()
        assert len(body) > 256 * 1024
        assert parse_object(body) == document


@pytest.mark.parametrize("fault", [b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x8c"])
@pytest.mark.parametrize("place", [5, 131_071, 400_000])
def test_a_large_document_names_the_place_of_what_is_not_utf8(fault: bytes, place: int) -> None:
    body = b'{"a":"' + b"x" * 500_000 + b'"}'
    assert f"not UTF-8 at byte {place}." in refusal(body[:place] + fault + body[place:])


@pytest.mark.parametrize("place", [10, 131_065, 131_068, 131_071, 131_072, 400_000])
def test_a_large_document_hides_no_escape_between_its_parts(place: int) -> None:
    body = b'{"a":"' + b"x" * 500_000 + b'"}'
    assert "NUL" in refusal(body[:place] + b"\\u0000" + body[place:])
    harmless = body[:place] + b"\\\\u0000" + body[place:]
    assert parse_object(harmless) == json.loads(harmless)


def test_a_large_push_is_within_the_limits() -> None:
    recorded = load("push_branch")
    commits = json.loads(recorded.body)["commits"] * 20_000
    body = recorded.with_body(commits=commits).body
    assert 20_000_000 < len(body) < 25_000_000
    assert len(parse_object(body)["commits"]) == 40_000
