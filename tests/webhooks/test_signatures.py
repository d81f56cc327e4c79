"""Signature checks: what passes, what is refused, and what an error gives away."""

import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deliveries import NAMES, SECRET, load
from webhooks.github.signatures import HEADER, LEGACY_HEADER, sign, verify
from worker.errors import Unauthorized

OFFICIAL_SECRET = "It's a Secret to Everybody"
OFFICIAL_BODY = b"Hello, World!"
OFFICIAL = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def refusal(signatures: list[str], secrets: list[str], legacy: list[str] | None = None) -> str:
    with pytest.raises(Unauthorized) as caught:
        verify(OFFICIAL_BODY, signatures, secrets, legacy or [])
    return caught.value.message


def test_the_vector_in_githubs_documentation() -> None:
    assert sign(OFFICIAL_BODY, OFFICIAL_SECRET) == OFFICIAL
    verify(OFFICIAL_BODY, [OFFICIAL], [OFFICIAL_SECRET])


@pytest.mark.parametrize("name", NAMES)
def test_recorded_deliveries_verify_as_json_and_as_form(name: str) -> None:
    for recorded in (load(name), load(name).as_form()):
        headers = recorded.signed()
        legacy = headers.getall(LEGACY_HEADER)
        verify(recorded.body, headers.getall(HEADER), [SECRET], legacy)


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), min_size=1))
@settings(deadline=None)
def test_what_is_signed_verifies_and_one_changed_byte_does_not(body: bytes, secret: str) -> None:
    verify(body, [sign(body, secret)], [secret])
    with pytest.raises(Unauthorized, match="does not match"):
        verify(body + b"\n", [sign(body, secret)], [secret])


@pytest.mark.parametrize("position", [0, 1, 2])
def test_any_of_several_secrets_is_accepted(position: int) -> None:
    secrets = ["one", "two"]
    secrets.insert(position, OFFICIAL_SECRET)
    verify(OFFICIAL_BODY, [OFFICIAL], secrets)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_secret_is_compared_wherever_the_match_is(
    position: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def counting(expected: bytes, claimed: bytes) -> bool:
        compared.append(expected)
        return compare(expected, claimed)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    secrets = ["one", "two"]
    secrets.insert(position, OFFICIAL_SECRET)
    verify(OFFICIAL_BODY, [OFFICIAL], secrets)
    assert len(compared) == 3


@pytest.mark.parametrize("secrets", [[], [""], ["", "other"]])
def test_an_empty_secret_never_matches(secrets: list[str]) -> None:
    assert "does not match" in refusal([sign(OFFICIAL_BODY, "")], secrets)


@pytest.mark.parametrize(
    ("signatures", "legacy", "said"),
    [
        ([], [], "missing"),
        ([], ["sha1=" + "a" * 40], "SHA-1 only"),
        (["sha1=" + "a" * 40], [], "SHA-1 only"),
        ([OFFICIAL, OFFICIAL], [], "sent 2 times"),
        ([OFFICIAL[:-1] + "é"], [], "outside ASCII"),
        ([OFFICIAL[:-1] + "\udce9"], [], "outside ASCII"),
        ([""], [], "malformed"),
        ([OFFICIAL.removeprefix("sha256=")], [], "malformed"),
        ([OFFICIAL[:-1]], [], "malformed"),
        ([OFFICIAL + "0"], [], "malformed"),
        ([OFFICIAL + "\n"], [], "malformed"),
        ([OFFICIAL.upper()], [], "malformed"),
        ([f"{OFFICIAL}, {OFFICIAL}"], [], "malformed"),
        (["sha512=" + "a" * 128], [], "malformed"),
        (["sha256=" + "0" * 64], [], "does not match"),
        (["sha256=" + "0" * 64], ["sha1=" + "a" * 40], "does not match"),
    ],
)
def test_each_fault_is_named(signatures: list[str], legacy: list[str], said: str) -> None:
    assert said in refusal(signatures, [OFFICIAL_SECRET], legacy)


@pytest.mark.parametrize(
    "signatures", [[], ["bad"], ["sha256=" + "0" * 64], [OFFICIAL, OFFICIAL], [OFFICIAL + "é"]]
)
def test_errors_hold_no_secret_digest_or_body(signatures: list[str]) -> None:
    message = refusal(signatures, [OFFICIAL_SECRET])
    for private in (OFFICIAL_SECRET, OFFICIAL[7:], OFFICIAL_BODY.decode(), "0" * 16):
        assert private not in message


def test_a_valid_signature_over_other_bytes_is_refused() -> None:
    recorded = load("push_branch")
    with pytest.raises(Unauthorized, match="does not match"):
        verify(recorded.body.replace(b":", b": "), [sign(recorded.body, SECRET)], [SECRET])
