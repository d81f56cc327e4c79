"""Proof that GitHub sent a body: HMAC-SHA256 over its raw bytes."""

import hmac
import re
from collections.abc import Sequence

from worker.errors import Unauthorized

HEADER = "X-Hub-Signature-256"
LEGACY_HEADER = "X-Hub-Signature"
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")


def sign(body: bytes, secret: str) -> str:
    """The value of `X-Hub-Signature-256` for this body: `sha256=` and 64 hex digits."""
    return f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def verify(
    body: bytes, signatures: Sequence[str], secrets: Sequence[str], legacy: Sequence[str] = ()
) -> None:
    """Raise Unauthorized unless the body was signed with one of the secrets.

    `signatures` and `legacy` are all values of the headers `X-Hub-Signature-256` and
    `X-Hub-Signature`. Every secret is tried, so the time taken does not tell which one matched.
    """
    # Headers are text that may hold any bytes.
    claimed = signatures[0].encode("utf-8", "surrogateescape") if len(signatures) == 1 else b""
    # An empty secret would let anybody sign.
    matches = [hmac.compare_digest(sign(body, s).encode(), claimed) for s in secrets if s]
    if not any(matches):
        raise Unauthorized(_fault(signatures, legacy))


def _fault(signatures: Sequence[str], legacy: Sequence[str]) -> str:
    if len(signatures) > 1:
        return f"{HEADER} was sent {len(signatures)} times; send it once."
    if not signatures:
        return _sha1_only() if legacy else f"{HEADER} is missing; sign the request."
    return _fault_of(signatures[0])


def _fault_of(signature: str) -> str:
    if not signature.isascii():
        return f"{HEADER} has characters outside ASCII."
    if signature.startswith("sha1="):
        return _sha1_only()
    if _SIGNATURE.fullmatch(signature) is None:
        return f"{HEADER} is malformed: expected sha256= and 64 lower-case hex digits."
    return f"{HEADER} does not match the body under any configured secret."


def _sha1_only() -> str:
    return f"The request is signed with SHA-1 only; {HEADER} is required."
