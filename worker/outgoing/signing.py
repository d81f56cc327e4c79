"""Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from worker.errors import InvalidInput

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
_NEW_KEY = 32


def new_secret() -> str:
    """A secret that nobody has had before: `whsec_` and 32 bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW_KEY)).decode()


def key_of(secret: str) -> bytes:
    """The key that a secret stands for. Raises InvalidInput on `secret`, without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise InvalidInput("the secret is not valid", {"secret": _EXPECTED})
    return key


_EXPECTED = f"must be {PREFIX} and base64 of {SHORTEST_KEY} to {LONGEST_KEY} bytes"


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret. `timestamp`: Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(key_of(secret), signed)}" for secret in secrets)


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
