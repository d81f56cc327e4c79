"""When a delivery that failed is tried again, and how long its endpoint rests. Pure."""

from collections.abc import Mapping

from worker.outgoing.outcomes import Sent

SCHEDULES: Mapping[str, tuple[float, ...]] = {
    "short": (1.0, 2.0, 4.0, 8.0, 16.0),
    "long": (5.0, 300.0, 1800.0, 7200.0, 18_000.0),
}
# For how long an endpoint that is busy rests at most, if it does not say for how long itself.
_LONGEST_REST = 30.0


def retry_delay(schedule: str, failures: int, sent: Sent) -> float:
    """Seconds until the next attempt after so many earlier failures and this one."""
    delays = SCHEDULES[schedule]
    return max(delays[min(failures, len(delays) - 1)], sent.retry_after or 0.0)


def rest(delay: float, sent: Sent) -> float:
    """For how many seconds nothing else should be sent there; 0: it may go on."""
    if not sent.is_busy:
        return 0.0
    return max(min(delay, _LONGEST_REST), sent.retry_after or 0.0)
