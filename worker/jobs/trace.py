"""W3C trace context: a caller's trace is continued, and anything else begins a new one."""

import re
from random import getrandbits

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 1


def new_traceparent(header: str | None) -> str:
    """The `traceparent` of a new span: in the caller's trace if its header is valid.

    Anything else begins a trace of its own, which is sampled.
    """
    caller = _caller(header) if header else None
    # Identifiers need not be secret, and the kernel's random bytes cost ten times as much.
    trace, flags = caller or (f"{getrandbits(128) or 1:032x}", "01")
    return f"00-{trace}-{getrandbits(64) or 1:016x}-{flags}"


def trace_id(traceparent: str) -> str:
    """Which trace it belongs to: 32 hex digits."""
    return traceparent[3:35]


def _caller(header: str) -> tuple[str, str] | None:
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    # A later version may append fields; this one has none, and ff is no version.
    if version == "ff" or (version == "00" and more) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return trace, "01" if int(flags, 16) & _SAMPLED else "00"
