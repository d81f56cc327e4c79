"""What a push says: which ref moved, from which commit to which."""

import re
from dataclasses import dataclass

from webhooks.github.fields import Fields

_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_MAX_REF_BYTES = 1024
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/.+", re.DOTALL)
# The rules of `git check-ref-format`; the first class also has DEL and every control character.
_ILLEGAL_IN_REF = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|[/.]\Z",
)


@dataclass(frozen=True, slots=True)
class Push:
    """A moved ref. `before` and `after` are 40 or 64 hex digits, all zero for "no commit".

    `created` and `deleted` are true also where only the zeros say so. `branch` and `tag` are the
    ref without its prefix: a branch may contain slashes and may begin with a dash.
    """

    ref: str
    branch: str | None
    tag: str | None
    before: str
    after: str
    created: bool
    deleted: bool
    forced: bool
    head_commit_sha: str | None
    pusher: str | None
    sender_type: str | None
    commit_count: int


def parse_push(payload: Fields) -> Push:
    """The push in this payload. Raises InvalidInput naming the field at fault."""
    ref = _ref(payload)
    before, after = _sha(payload, "before"), _sha(payload, "after")
    head, pusher = payload.child("head_commit"), payload.child("pusher")
    sender = payload.child("sender")
    return Push(
        ref=ref,
        branch=_after_prefix(ref, _BRANCH),
        tag=_after_prefix(ref, _TAG),
        before=before,
        after=after,
        created=payload.flag("created") or _is_zero(before),
        deleted=payload.flag("deleted") or _is_zero(after),
        forced=payload.flag("forced"),
        head_commit_sha=_sha(head, "id") if head else None,
        pusher=pusher.text("name", 256) if pusher else None,
        sender_type=sender.text("type", 64) if sender else None,
        commit_count=payload.count("commits"),
    )


def is_legal_ref(ref: str) -> bool:
    """Whether git accepts this full ref name, and it is at most 1024 bytes of UTF-8."""
    return len(ref.encode()) <= _MAX_REF_BYTES and _ILLEGAL_IN_REF.search(ref) is None


def _ref(payload: Fields) -> str:
    ref = payload.required_text("ref", _REF, "a full name under refs/")
    if not is_legal_ref(ref):
        payload.refuse("ref", f"is not a legal git ref of at most {_MAX_REF_BYTES} bytes")
    return ref


def _sha(fields: Fields, name: str) -> str:
    return fields.required_text(name, _SHA, "a commit id of 40 or 64 hex digits")


def _is_zero(sha: str) -> bool:
    return not sha.strip("0")


def _after_prefix(ref: str, prefix: str) -> str | None:
    return ref.removeprefix(prefix) if ref.startswith(prefix) else None
