"""When an endpoint that keeps failing is left alone, and when it is tried again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# One more than a delivery's retries: a single one can make all of them on time.
OPENS_AFTER = 6
FIRST_SECONDS, MOST_SECONDS = 30.0, 3600.0
# Longer than a request may take: only a worker that was lost lets a probe's time lapse.
PROBE_SECONDS = 45.0
HOPELESS_AFTER = timedelta(days=5)
HOPELESS_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Breaker:
    """How an endpoint has been doing since it last worked; times are Postgres's.

    Closed without `open_until`; open until then; half open afterwards: one request at a time, the
    probe, decides. Failures while it is open were under way before, and count for nothing.
    """

    failures: int = 0
    failing_since: datetime | None = None
    open_until: datetime | None = None
    probing_until: datetime | None = None

    def failed(self, started: datetime, now: datetime) -> "Breaker":
        """After one more request, begun at `started`, has failed."""
        if self.open_until is not None and started < self.open_until:
            return self
        failures = self.failures + 1
        seconds = open_seconds(failures)
        return Breaker(
            failures,
            self.failing_since or now,
            now + timedelta(seconds=seconds) if seconds else None,
        )

    def is_open(self, now: datetime) -> bool:
        """Whether nothing may be sent."""
        return self.open_until is not None and now < self.open_until

    def is_hopeless(self, now: datetime) -> bool:
        """Whether it has failed for so long that nothing should be sent any more."""
        long_enough = self.failing_since is not None and now - self.failing_since >= HOPELESS_AFTER
        return long_enough and self.failures >= HOPELESS_FAILURES


def open_seconds(failures: int) -> float:
    """For how long the breaker opens at so many failures in a row; 0: it does not."""
    if failures < OPENS_AFTER:
        return 0.0
    return min(FIRST_SECONDS * 2.0 ** min(failures - OPENS_AFTER, 30), MOST_SECONDS)
