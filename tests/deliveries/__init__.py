"""Requests as GitHub sends them, one file each: `{"headers": {…}, "body": {…}}`."""

import hmac
import json
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from multidict import CIMultiDict

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
SECRET = "the-secret-of-the-recorded-deliveries"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Recorded:
    """A delivery: its headers without signatures, and the bytes of its body."""

    headers: CIMultiDict[str]
    body: bytes

    def signed(self, secret: str = SECRET) -> CIMultiDict[str]:
        """The headers with both signatures, as GitHub sends them for this body."""
        signatures = {
            "X-Hub-Signature": f"sha1={self._hmac(secret, 'sha1')}",
            "X-Hub-Signature-256": f"sha256={self._hmac(secret, 'sha256')}",
        }
        return CIMultiDict({**self.headers, **signatures})

    def with_headers(self, **changes: str) -> "Recorded":
        """The same with other headers; underscores stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return replace(self, headers=CIMultiDict({**self.headers, **named}))

    def with_body(self, **changes: object) -> "Recorded":
        """The same with other top-level fields in its (JSON) body."""
        return replace(self, body=encode(json.loads(self.body) | changes))

    def as_form(self) -> "Recorded":
        """The same as a hook with the content type `form` sends it."""
        form = urlencode({"payload": self.body.decode()}).encode()
        return replace(self.with_headers(Content_Type=FORM), body=form)

    def _hmac(self, secret: str, digest: str) -> str:
        return hmac.new(secret.encode(), self.body, digest).hexdigest()


def load(name: str) -> Recorded:
    """The recorded delivery of that name (see `NAMES`)."""
    recorded = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return Recorded(CIMultiDict(recorded["headers"]), encode(recorded["body"]))


def encode(document: object) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
