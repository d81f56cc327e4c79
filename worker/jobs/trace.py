"""W3C trace context: a caller's trace is continued, and anything else begins a new one."""

import random
import re

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 1


def new_traceparent(header: str | None) -> str:
    """The `traceparent` of a new span: in the caller's trace if its header is valid.

    Anything else begins a trace of its own, which is sampled.
    """
    caller = _caller(header) if header else None
    # Identifiers need not be secret, and the kernel's random bytes cost ten times as much.
    digits = f"{random.getrandbits(192) | 1 << 64 | 1:048x}"
    trace, flags = caller or (digits[:32], _SAMPLED)
    return f"00-{trace}-{digits[32:]}-{flags:02x}"


def trace_id(traceparent: str) -> str:
    """Which trace it belongs to: 32 hex digits."""
    return traceparent[3:35]


def _caller(header: str) -> tuple[str, int] | None:
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    # A later version may append fields; this one has none, and ff is no version.
    if version == "ff" or (version == "00" and more) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return trace, int(flags, 16) & _SAMPLED
