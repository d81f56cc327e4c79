"""Signed pushes for the intake benchmark, built before the clock runs."""

import json
import time
from typing import Any
from uuid import uuid4

import orjson

from tests.deliveries import SECRET, load
from webhooks.github.signatures import sign

BODY_BYTES = 5_000
REPOSITORIES = 50
_KEPT = ("private", "owner", "html_url", "clone_url", "default_branch", "master_branch")


def repository(number: int) -> str:
    """The full name of a repository that pushes come from."""
    return f"bench/repository-{number:03}"


def requests(count: int, branches: int, folder: str) -> list[bytes]:
    """Whole requests to so many branches in turn, each push later than the branch's former one."""
    head, push, now = _head(), _push(), int(time.time())
    made = []
    for number in range(count):
        branch = number % branches
        push["ref"] = f"refs/heads/{folder}/{branch:06}"
        push["after"] = f"{number + 1:040x}"
        push["repository"] |= {
            "id": 1 + branch % REPOSITORIES,
            "full_name": repository(branch % REPOSITORIES),
            "pushed_at": now + number // branches,
        }
        body = orjson.dumps(push)
        values = (str(uuid4()), sign(body, SECRET), len(body))
        made.append((head % values).encode() + body)
    return made


def large(count: int, size: int) -> list[bytes]:
    """Whole requests whose bodies have `size` bytes, in many commits."""
    head, push, made = _head(), _push(), []
    commit = push["commits"][0]
    push["repository"] |= {"id": 1}
    push["commits"] = [commit] * ((size - 10_000) // (len(orjson.dumps(commit)) + 1))
    for number in range(count):
        push["after"] = f"{number + 1:040x}"
        body = orjson.dumps(push)
        body = orjson.dumps(push | {"padding": "x" * (size - len(body) - 13)})
        assert len(body) == size
        made.append((head % (str(uuid4()), sign(body, SECRET), len(body))).encode() + body)
    return made


def _push() -> dict[str, Any]:
    """A push of BODY_BYTES bytes at most, and hardly less."""
    document: dict[str, Any] = json.loads(load("push_branch").body)
    document["commits"] = document["commits"][:1]
    kept = {k: document["repository"][k] for k in _KEPT}
    document["repository"] = kept | {"name": "r", "full_name": repository(0), "pushed_at": 10**9}
    missing = BODY_BYTES - 20 - len(orjson.dumps(document))
    document["commits"][0]["message"] += "x" * missing
    return document


def _head() -> str:
    headers = {k: v for k, v in load("push_branch").headers.items() if k != "X-GitHub-Delivery"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST /api/webhooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}X-GitHub-Delivery: %s\r\n"
        "X-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n"
    )
