"""Strings that any store accepts: no NUL, no lone surrogates, bounded."""

import re

MAX_TEXT = 2_000
MAX_SHORT = 200
MAX_QUOTE = 300

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def clean(value: str, limit: int = MAX_TEXT) -> str:
    """`value` trimmed, without what jsonb refuses, no longer than `limit` characters."""
    if not value.isascii() or "\0" in value:
        value = _UNSTORABLE.sub("", value)
    value = value.strip()
    return value if len(value) <= limit else value[:limit].rstrip()


def shorten(value: str) -> str:
    """`value` clean and fit for a database index."""
    return clean(value, MAX_SHORT)


def quoted(line: str) -> str:
    """`line` clean and short enough to be shown as evidence."""
    return clean(line, MAX_QUOTE)


def storable(value: str) -> bool:
    """Whether `value` can be stored as it is."""
    if value.isascii():
        return "\0" not in value
    return not _UNSTORABLE.search(value)
