"""Every metric, with its labels. Never an id in a label; seconds and bytes as units."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import nan
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_RUN = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800)
_WAIT = (0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1800)
_HTTP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10)

REGISTRY = CollectorRegistry()


class Observations:
    """What one label's values were, counted by bucket."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Distribution(Collector):
    """A histogram by queue that one thread feeds, twice for each attempt.

    The library's own takes a lock for each value and looks through the buckets one by one.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self.name, self._documentation, self._bounds = name, documentation, bounds
        self._by_queue: dict[str, Observations] = {}
        REGISTRY.register(self)

    def labels(self, queue: str) -> Observations:
        """Where to count a queue's values."""
        return self._by_queue.setdefault(queue, Observations(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """The histogram as it stands."""
        family = HistogramMetricFamily(self.name, self._documentation, labels=["queue"])
        bounds = [*(str(float(b)) for b in self._bounds), "+Inf"]
        for queue, seen in self._by_queue.items():
            buckets = list(zip(bounds, map(float, accumulate(seen.counts)), strict=True))
            family.add_metric([queue], buckets, seen.total)
        yield family


class Fading:
    """A figure that whoever found it last tells, and only for a while: then another will know."""

    def __init__(self, gauge: Gauge, seconds: float) -> None:
        self.gauge = gauge
        self._value, self._until, self._seconds = nan, 0.0, seconds
        gauge.set_function(self._tell)

    def set(self, value: float) -> None:
        """It was found just now."""
        self._value, self._until = value, monotonic() + self._seconds

    def _tell(self) -> float:
        return self._value if monotonic() < self._until else nan


JOBS_PROCESSED = Counter(
    "jobs_processed", "Attempts that ended, by outcome", ["queue", "status"], registry=REGISTRY
)
JOB_DURATION = Distribution("job_duration_seconds", "Run time of an attempt", _RUN)
JOB_WAIT = Distribution("job_queue_wait_seconds", "From due to started", _WAIT)
JOBS_ENQUEUED = Counter("jobs_enqueued", "Jobs recorded", ["queue"], registry=REGISTRY)
JOBS_RETRIED = Counter("jobs_retried", "Attempts to be repeated", ["queue"], registry=REGISTRY)
JOBS_IN_PROGRESS = Gauge(
    "jobs_in_progress", "Jobs running in this process", ["queue"], registry=REGISTRY
)
QUEUE_SIZE = Gauge("queue_size", "Jobs in the record", ["queue", "status"], registry=REGISTRY)
OLDEST_JOB_AGE = Gauge(
    "oldest_job_age_seconds", "How long the oldest due job waits", ["queue"], registry=REGISTRY
)
DEAD_LETTER_JOBS = Gauge("dead_letter_jobs", "Jobs in state dead", ["queue"], registry=REGISTRY)
CONSERVATION_OFFENDERS = Gauge(
    "conservation_offenders", "What is not accounted for; must be 0", ["kind"], registry=REGISTRY
)
SLA_BREACHES = Counter(
    "job_sla_breaches", "Jobs that ran past their queue's SLA", ["queue"], registry=REGISTRY
)
WORKER_HEARTBEAT = Gauge(
    "worker_last_heartbeat_timestamp_seconds", "Last heartbeat, Unix time", registry=REGISTRY
)
LOOP_LAG = Gauge("worker_loop_lag_seconds", "Lateness of the event loop", registry=REGISTRY)
RECONCILED = Counter(
    "jobs_reconciled", "Jobs rung again by the reconciler", ["reason"], registry=REGISTRY
)
DELIVERIES_MISSING = Fading(
    Gauge("webhook_deliveries_missing", "Deliveries that GitHub has and that never arrived",
          registry=REGISTRY),
    seconds=900.0,
)  # fmt: skip
WEBHOOK_REQUESTS = Counter(
    "webhook_requests", "Webhook requests by result", ["source", "event", "result"],
    registry=REGISTRY,
)  # fmt: skip
WEBHOOK_DURATION = Histogram(
    "webhook_request_duration_seconds", "Webhook request to answer", ["source"],
    buckets=_HTTP, registry=REGISTRY,
)  # fmt: skip
EXTERNAL_DURATION = Histogram(
    "external_request_duration_seconds", "Calls to other services", ["service", "outcome"],
    buckets=_RUN, registry=REGISTRY,
)  # fmt: skip
USAGE_THRESHOLDS = Counter(
    "usage_thresholds", "Thresholds of limits that usage reached", ["period"], registry=REGISTRY
)
AUTOMATIC_ACTIONS = Counter(
    "automatic_actions", "Automatic actions, by what became of them", ["action", "status"],
    registry=REGISTRY,
)  # fmt: skip
USAGE_EVENTS = Counter("usage_events", "Usage events that were counted", registry=REGISTRY)
USAGE_BATCHES = Counter(
    "usage_batches", "Batches of usage events: counted, or counted before", ["status"],
    registry=REGISTRY,
)  # fmt: skip
USAGE_PERIODS_CLOSED = Counter(
    "usage_periods_closed", "Usage periods that a roll-over closed", registry=REGISTRY
)
NOTIFICATIONS = Counter(
    "notifications", "Notifications, by how they were told", ["type", "channel", "status"],
    registry=REGISTRY,
)  # fmt: skip

RATE_LIMITS_UNAVAILABLE = Counter(
    "rate_limits_unavailable", "Calls whose rate could not be told, Redis being away", ["call"],
    registry=REGISTRY,
)  # fmt: skip
OUTGOING_DELIVERIES = Counter(
    "outgoing_deliveries", "Attempts to deliver a webhook, by what became of the delivery",
    ["status"], registry=REGISTRY,
)  # fmt: skip
OUTGOING_BREAKER_OPENINGS = Counter(
    "outgoing_breaker_openings", "Times that an endpoint was to be left alone", registry=REGISTRY
)


def exposition() -> bytes:
    """All metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)
