"""Parsing deliveries: what is read from each, and every class of bad headers and fields."""

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.deliveries import FORM, NAMES, Recorded, load
from webhooks.github.deliveries import Delivery, parse
from webhooks.github.pushes import Push
from worker.errors import InvalidInput, UnsupportedMedia


def parsed(recorded: Recorded) -> Delivery:
    return parse(recorded.headers, recorded.body)


def refused(recorded: Recorded) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parsed(recorded)
    return caught.value


def test_a_push_is_read_whole() -> None:
    recorded = load("push_branch")
    raw = json.loads(recorded.body)
    delivery = parsed(recorded)
    assert delivery == Delivery(
        guid=recorded.headers["X-GitHub-Delivery"],
        event="push",
        action=None,
        repository="example-org/harbour-ledger",
        repository_id=734018265,
        default_branch="main",
        body=recorded.body,
        headers={
            "X-GitHub-Hook-ID": "463920175",
            "X-GitHub-Hook-Installation-Target-ID": "734018265",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "User-Agent": "GitHub-Hookshot/5d1c07e",
            "Content-Type": "application/json",
        },
        push=Push(
            ref="refs/heads/main",
            branch="main",
            tag=None,
            after=raw["after"],
            deleted=False,
            forced=False,
            pushed_at=raw["repository"]["pushed_at"],
            sender="ada-ferreira",
        ),
        traceparent=delivery.traceparent,
    )
    assert isinstance(raw["repository"]["pushed_at"], int)


@pytest.mark.parametrize("name", NAMES)
def test_a_form_says_the_same_as_json(name: str) -> None:
    plain, form = parsed(load(name)), parsed(load(name).as_form())
    assert form.body != plain.body
    for field in ("guid", "event", "action", "repository", "repository_id", "push"):
        assert getattr(form, field) == getattr(plain, field)


def test_the_time_of_a_push_is_a_number_or_unknown() -> None:
    recorded = load("push_branch")
    repository = json.loads(recorded.body)["repository"]
    for told, read in ((7, 7), ("2025-03-07T09:17:02Z", None), (None, None), (True, None)):
        push = parsed(recorded.with_body(repository=repository | {"pushed_at": told})).push
        assert push is not None
        assert push.pushed_at == read


def test_a_senders_trace_is_continued() -> None:
    sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    recorded = load("push_branch")
    traced = recorded.with_headers(traceparent=sent)
    twice = Recorded(traced.headers.copy(), traced.body)
    twice.headers.add("Traceparent", sent)
    assert parsed(traced).traceparent[:36] == sent[:36]
    assert parsed(traced).traceparent != sent
    assert parsed(twice).traceparent[:36] != sent[:36]
    assert parsed(recorded).traceparent[:36] != parsed(recorded).traceparent[:36]


def test_events_without_repository_or_action_are_understood() -> None:
    ping = parsed(load("ping").with_body(repository=None))
    assert (ping.repository, ping.repository_id, ping.default_branch) == (None, None, None)
    assert parsed(load("repository_renamed")).action == "renamed"


def test_signatures_are_not_kept() -> None:
    recorded = load("push_branch")
    kept = parse(recorded.signed(), recorded.body).headers
    assert not any("signature" in name.lower() or "sha" in kept[name] for name in kept)


def test_kept_headers_are_printable_and_bounded() -> None:
    kept = parsed(load("push_branch").with_headers(User_Agent="\udcff\0é" + "x" * 999)).headers
    assert kept["User-Agent"].startswith("\\udcff\\x00\\xe9xxx")
    assert len(kept["User-Agent"]) == 256


@pytest.mark.parametrize("name", ["X-GitHub-Delivery", "X-GitHub-Event"])
@pytest.mark.parametrize("value", ["", " ", "a b", "é", "\udce9", "x" * 101, "ping\n", "a/b"])
def test_malformed_headers(name: str, value: str) -> None:
    error = refused(load("ping").with_headers(**{name: value}))
    assert f"{name} is malformed" in error.message


@pytest.mark.parametrize("name", ["X-GitHub-Delivery", "X-GitHub-Event", "Content-Type"])
def test_missing_and_doubled_headers(name: str) -> None:
    recorded = load("ping")
    value = recorded.headers.popone(name)
    with pytest.raises((InvalidInput, UnsupportedMedia), match=r"is missing|Send application/json"):
        parsed(recorded)
    recorded.headers.extend([(name, value), (name, value)])
    assert f"{name} was sent 2 times" in refused(recorded).message


@pytest.mark.parametrize(
    "value",
    [
        "application/json; charset=utf-8",
        'APPLICATION/JSON;charset="UTF-8"',
        "application/json ; boundary=x; charset=utf8",
    ],
)
def test_accepted_content_types(value: str) -> None:
    assert parsed(load("ping").with_headers(Content_Type=value)).event == "ping"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text/plain",
        "application/jsonx",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=",
        "application/json; boundary=x;charset = utf-16",
    ],
)
def test_other_content_types_are_unsupported(value: str) -> None:
    with pytest.raises(UnsupportedMedia):
        parsed(load("ping").with_headers(Content_Type=value))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (b"", "field payload"),
        (b"payload", "JSON is empty"),
        (b"payload=", "JSON is empty"),
        (b"{}", "field payload"),
        (b"other=%7B%7D", "field payload"),
        (b"payload=%7B%7D&payload=%7B%7D", "no other"),
        (b"payload=%7B%7", "%"),
        (b"payload=%7B%GG%7D", "%"),
        (b"payload=%FF", "not UTF-8"),
        (b'payload={"action":"=\n"}', "Invalid control character"),
    ],
)
def test_malformed_forms(form: bytes, said: str) -> None:
    recorded = Recorded(load("ping").with_headers(Content_Type=FORM).headers, form)
    assert said in refused(recorded).message


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100), st.booleans())
@example("=3D=\n=\r\n%3D=+_ \t", False)
@settings(deadline=None)
def test_forms_are_decoded_however_much_is_escaped(action: str, fully: bool) -> None:
    body = json.dumps({"action": action}, indent=1, ensure_ascii=False).encode()
    escape = quote_plus if fully else escape_least
    headers = load("ping").with_headers(Content_Type=FORM).headers
    assert parse(headers, b"payload=" + escape(body).encode()).action == action


def escape_least(body: bytes) -> str:
    text = body.decode()
    return text.replace("%", "%25").replace("+", "%2B").replace("&", "%26").replace(" ", "+")
