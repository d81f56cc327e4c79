"""What came of a request: which kind of failure, in words for the endpoint's owner."""

import errno
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp

from worker.outgoing.guard import CONNECT_SECONDS, RefusedAddress

MOST_KEPT = 4096
LONGEST_RETRY_AFTER = 3600.0
# Where a Retry-After holds for all that is sent there, and there is a short rest without one.
BUSY = frozenset((429, 502, 503, 504))

ErrorClass = Literal[
    "timeout", "connect", "tls", "dns", "refused_address", "disconnected", "protocol", "redirect",
    "gone", "rate_limited", "client_error", "server_error",
]  # fmt: skip


@dataclass(slots=True)
class Sent:
    """What came of one request. Without an `error_class` it has arrived.

    `answer` is the first 4 kB, as it came. `retry_after`: seconds that the endpoint asks for, at
    most an hour. `refused`: the address that was not dialled; only operators may know it.
    """

    status: int | None = None
    error_class: ErrorClass | None = None
    error: str | None = None
    answer: bytes = b""
    retry_after: float | None = None
    refused: str | None = None
    duration_ms: int = 0

    @property
    def arrived(self) -> bool:
        """Whether the endpoint has said that it has it."""
        return self.error_class is None

    @property
    def is_busy(self) -> bool:
        """Whether the endpoint wants a rest."""
        return self.status in BUSY


def of_answer(status: int, headers: Mapping[str, str], answer: bytes) -> Sent:
    """The outcome of a request that was answered."""
    error_class = _class_of(status)
    error = error_class and _EXPLAINED.get(error_class, "the endpoint answered {}").format(status)
    later = _retry_after(headers) if error_class else None
    return Sent(status, error_class, error, answer[:MOST_KEPT], later)


def of_timeout(error: TimeoutError, limit: float) -> Sent:
    """The outcome of a request that took too long."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        problem = f"the endpoint took no connection within {CONNECT_SECONDS:g} s"
        return Sent(error_class="connect", error=problem)
    return Sent(error_class="timeout", error=f"the endpoint gave no answer within {limit:g} s")


def of_error(error: Exception) -> Sent:
    """The outcome of a request that was not answered. Tells nothing of what is inside."""
    match error:
        case RefusedAddress():
            return Sent(error_class="refused_address", error=str(error), refused=error.address)
        case aiohttp.InvalidURL():
            problem = "the endpoint's URL has no usable host"
            return Sent(error_class="refused_address", error=problem)
        case aiohttp.ClientSSLError():
            return Sent(error_class="tls", error=f"no secure connection: {_tls(error)}")
        case aiohttp.ClientConnectorDNSError():
            return Sent(error_class="dns", error="the endpoint's host name cannot be resolved")
        case aiohttp.ClientConnectorError():
            # Its own text may tell the address.
            problem = os.strerror(error.os_error.errno or errno.ENOTCONN)
            return Sent(error_class="connect", error=f"no connection to the endpoint: {problem}")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            problem = "the endpoint closed the connection without an answer"
            return Sent(error_class="disconnected", error=problem)
    return Sent(error_class="protocol", error="the endpoint's answer is not valid HTTP")


_EXPLAINED: Mapping[ErrorClass, str] = {
    "redirect": "the endpoint answered {}: redirects are not followed, give its final URL",
    "gone": "the endpoint answered {}: it is gone for good",
    "protocol": "the endpoint answered {}, which ends no request",
}


def _class_of(status: int) -> ErrorClass | None:
    match status:
        case 410:
            return "gone"
        case 429:
            return "rate_limited"
    by_hundred: Mapping[int, ErrorClass] = {3: "redirect", 4: "client_error", 5: "server_error"}
    return None if status // 100 == 2 else by_hundred.get(status // 100, "protocol")


def _tls(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or error.os_error
    return getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "refused"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        # Longer ones are an hour in any case, and might be too long to be a number.
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    until = _moment(text)
    if until is None:
        return None
    # By the endpoint's own clock, where it tells it: ours may differ.
    now = _moment(headers.get("Date", "")) or time.time()
    return min(max(until - now, 0.0), LONGEST_RETRY_AFTER)


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
