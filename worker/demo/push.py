"""A push as GitHub would send it: body, headers and signature."""

import hashlib
import hmac
import json
from uuid import uuid4

ZERO = "0" * 40
REPOSITORY = "ada/shop"
REPOSITORY_ID = 4711
SENDER = "ada"


def push_body(before: str, after: str, branch: str = "main") -> bytes:
    """The JSON of a push event."""
    return json.dumps(
        {
            "ref": f"refs/heads/{branch}",
            "before": before,
            "after": after,
            "created": before == ZERO,
            "deleted": False,
            "forced": False,
            "repository": {
                "id": REPOSITORY_ID,
                "full_name": REPOSITORY,
                "default_branch": branch,
            },
            "pusher": {"name": SENDER},
            "sender": {"login": SENDER, "type": "User"},
            "commits": [],
            "head_commit": {"id": after},
        }
    ).encode()


def push_headers(body: bytes, secret: str) -> dict[str, str]:
    """The headers of a new delivery of this body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/demo",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": f"sha256={digest}",
    }
