"""Strings that any store accepts: no NUL, no lone surrogates, bounded."""

import re

MAX_TEXT = 2_000
MAX_SHORT = 200

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def clean(value: str, limit: int = MAX_TEXT) -> str:
    """`value` trimmed, without what jsonb refuses, no longer than `limit` characters."""
    if not storable(value):
        value = _UNSTORABLE.sub("", value)
    return value.strip()[:limit].rstrip()


def shorten(value: str) -> str:
    """`value` clean and fit for a database index."""
    return clean(value, MAX_SHORT)


def storable(value: str) -> bool:
    """Whether `value` can be stored as it is."""
    if value.isascii():
        return "\0" not in value
    return not _UNSTORABLE.search(value)
