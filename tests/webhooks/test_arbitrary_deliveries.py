"""Arbitrary and damaged requests: nothing but the named errors, and nothing that cannot be kept."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from tests.deliveries import FORM, Recorded, load
from webhooks.github.deliveries import Delivery, parse
from worker.errors import InvalidInput, SwitchyardError, UnsupportedMedia

NAMED = st.sampled_from(["X-GitHub-Delivery", "X-GitHub-Event", "Content-Type", "User-Agent"])
VALUES = st.one_of(
    st.sampled_from(
        ["push", "ping", "a-guid", "application/json", FORM, "application/json;charset"]
    ),
    st.text(max_size=20),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from([*json.loads(load("push_branch").body), "action"])


@given(st.lists(st.tuples(NAMED, VALUES), max_size=6), st.binary(max_size=200))
@settings(deadline=None)
def test_arbitrary_requests_raise_only_the_named_errors(
    headers: list[tuple[str, str]], body: bytes
) -> None:
    judge(CIMultiDict(headers), body)


@given(st.dictionaries(FIELDS, JSON_VALUES), st.booleans())
@settings(deadline=None)
def test_arbitrary_fields_raise_only_the_named_errors(
    changes: dict[str, object], as_form: bool
) -> None:
    body = json.dumps(json.loads(load("push_branch").body) | changes).encode()
    recorded = Recorded(load("push_branch").headers, body)
    recorded = recorded.as_form() if as_form else recorded
    judge(recorded.headers, recorded.body)


@given(st.data())
@settings(deadline=None)
def test_damaged_pushes_raise_only_the_named_errors(data: st.DataObject) -> None:
    body = bytearray(load("push_branch").body)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    judge(load("push_branch").headers, bytes(body[: data.draw(st.integers(0, len(body)))]))


def outcome(headers: CIMultiDict[str], body: bytes) -> Delivery | SwitchyardError:
    try:
        return parse(headers, body)
    except (InvalidInput, UnsupportedMedia) as error:
        return error


def judge(headers: CIMultiDict[str], body: bytes) -> None:
    """Parse; whatever comes of it can be stored as text and jsonb, or shown as an error."""
    result = outcome(headers, body)
    if isinstance(result, SwitchyardError):
        assert result.message.isprintable()
        assert len(result.message) < 250
        return
    texts = [result.action, result.repository, result.default_branch, *result.headers.values()]
    for text in filter(None, texts):
        assert "\0" not in text
        text.encode()
