"""What a push says: which ref moved, where to, and when."""

import re
from dataclasses import dataclass

from webhooks.github.fields import Fields

_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_MAX_REF_BYTES = 1024
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/.+", re.DOTALL)
_ORDINARY_REF = re.compile(r"refs(?:/[A-Za-z0-9_-]+)+")
# The rules of `git check-ref-format`; the first class also has DEL and every control character.
_ILLEGAL_IN_REF = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|[/.]\Z",
)


@dataclass(slots=True)
class Push:
    """A moved ref. `after` is 40 or 64 hex digits, all zero for "no commit".

    `deleted` is true also where only the zeros say so. `branch` and `tag` are the ref without its
    prefix: a branch may contain slashes and may begin with a dash. `pushed_at` is in seconds since
    1970: of two pushes the later one has the greater number, or the same. `sender` is the login of
    who pushed.
    """

    ref: str
    branch: str | None
    tag: str | None
    after: str
    deleted: bool
    forced: bool
    pushed_at: int | None
    sender: str | None = None


def parse_push(payload: Fields, repository: Fields) -> Push:
    """The push in this payload. Raises InvalidInput naming the field at fault."""
    ref = _ref(payload)
    after = payload.required_text("after", _SHA, "a commit id of 40 or 64 hex digits")
    return Push(
        ref=ref,
        branch=_after_prefix(ref, _BRANCH),
        tag=_after_prefix(ref, _TAG),
        after=after,
        deleted=payload.flag("deleted") or not after.strip("0"),
        forced=payload.flag("forced"),
        pushed_at=repository.whole_number("pushed_at"),
        sender=payload.login("sender"),
    )


def is_legal_ref(ref: str) -> bool:
    """Whether git accepts this full ref name, and it is at most 1024 bytes of UTF-8."""
    if len(ref) <= _MAX_REF_BYTES and _ORDINARY_REF.fullmatch(ref):
        return True
    return len(ref.encode()) <= _MAX_REF_BYTES and _ILLEGAL_IN_REF.search(ref) is None


def _ref(payload: Fields) -> str:
    ref = payload.required_text("ref", _REF, "a full name under refs/")
    if not is_legal_ref(ref):
        payload.refuse("ref", f"is not a legal git ref of at most {_MAX_REF_BYTES} bytes")
    return ref


def _after_prefix(ref: str, prefix: str) -> str | None:
    return ref.removeprefix(prefix) if ref.startswith(prefix) else None
