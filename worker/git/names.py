"""Checks on everything that a caller may hand to git: keys, URLs, refs and object ids."""

import hashlib
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from worker.git.errors import Refused

PIN_SLOTS = 64
MAX_REF_LENGTH = 1024

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://[^\s\x00-\x1f\x7f\\]+")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_REF_FORBIDDEN = re.compile(r"\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$")


def check_key(key: str) -> str:
    """The key of a mirror, which is also the name of its directory."""
    if not _KEY.fullmatch(key):
        raise Refused(f"{key!r:.200} cannot name a mirror: use letters, digits, '.', '_' and '-'")
    return key


def check_object_id(sha: str) -> str:
    """A full lower-case SHA-1 or SHA-256, and not the null id that stands for "no object"."""
    if not _OBJECT_ID.fullmatch(sha) or not sha.strip("0"):
        raise Refused(f"{sha!r:.200} is not a full object id: 40 or 64 lower-case hex digits")
    return sha


def check_url(url: str, protocols: Collection[str]) -> str:
    """An absolute URL of an allowed protocol, with a host (except for `file`), without userinfo."""
    match = _URL.fullmatch(url)
    if not match or match[1] not in protocols:
        raise Refused(f"the clone URL is not one of {', '.join(protocols)}://host/path")
    if not _is_complete(url):
        raise Refused("the clone URL needs a plain host and a path, and no user name or password")
    return url


def _is_complete(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or not parts.path.strip("/") or not url.isprintable():
        return False
    return not parts.netloc if parts.scheme == "file" else bool(_HOST.fullmatch(host))


def check_ref(ref: str) -> str:
    """A full ref, `refs/…`, by git's own rules. `refs/heads/-x` is a valid one."""
    if len(ref) > MAX_REF_LENGTH or not _REF.fullmatch(ref) or _REF_FORBIDDEN.search(ref):
        raise Refused(f"{ref!r:.200} is not a valid full ref such as refs/heads/main")
    if any("\ud800" <= char <= "\udfff" for char in ref):
        raise Refused(f"{ref!a:.200} is not valid Unicode")
    return ref


def branch_ref(branch: str) -> str:
    """The full ref of a branch, checked."""
    return check_ref(f"refs/heads/{branch}")


def pin_for(source: str) -> str:
    """The local ref that keeps what was fetched from `source` known to the next negotiation.

    A fixed number of flat slots: thousands of branches would slow every fetch down, and names
    like `a` and `a/b`, one after the other, cannot stand in each other's way.
    """
    slot = hashlib.sha256(source.encode()).digest()[0] % PIN_SLOTS
    return f"refs/pins/{slot:02}"
