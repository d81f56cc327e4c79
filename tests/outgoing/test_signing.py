"""Signatures, checked by somebody else's implementation of the same specification."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from worker.errors import InvalidInput
from worker.outgoing.signing import key_of, new_secret, sign

BODY = '{"type": "x", "data": {"ü": 1}}'.encode()


def headers(secrets: list[str], body: bytes = BODY) -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    return {
        "webhook-id": "msg-1", "webhook-timestamp": str(now),
        "webhook-signature": sign(secrets, "msg-1", now, body),
    }  # fmt: skip


def test_the_specifications_own_example() -> None:
    signature = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}',
    )  # fmt: skip
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("body", [BODY, b"{}", b" " * 100_000 + b"{}"])
def test_a_receivers_library_accepts_what_is_signed(body: bytes) -> None:
    secret = new_secret()
    Webhook(secret).verify(body, headers([secret], body))


def test_it_refuses_another_secret_and_another_body() -> None:
    secret = new_secret()
    for other, body in ((new_secret(), BODY), (secret, BODY + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, headers([secret]))


def test_while_a_secret_is_rotated_both_are_accepted() -> None:
    old, new = new_secret(), new_secret()
    signed = headers([new, old])
    assert len(signed["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, signed)


def test_new_secrets_differ_and_are_32_bytes() -> None:
    assert new_secret() != new_secret()
    assert len(key_of(new_secret())) == 32


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_the_specified_sizes(size: int) -> None:
    assert key_of("whsec_" + base64.b64encode(b"k" * size).decode()) == b"k" * size


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_" + base64.b64encode(b"k" * 23).decode(),
     "whsec_" + base64.b64encode(b"k" * 65).decode(), base64.b64encode(b"k" * 32).decode(),
     "whsec_not base64 at all, but long enough", "whsec_" + "ü" * 44, "whpk_" + "A" * 44],
)  # fmt: skip
def test_what_is_no_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        key_of(secret)
    assert list(refused.value.fields) == ["secret"]
    assert not secret.removeprefix("whsec_") or secret not in str(refused.value.fields)
