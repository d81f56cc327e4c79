"""Every metric, with its labels. Never an id in a label; seconds and bytes as units."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_RUN = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800)
_WAIT = (0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1800)
_HTTP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10)

REGISTRY = CollectorRegistry()

JOBS_PROCESSED = Counter(
    "jobs_processed", "Attempts that ended, by outcome", ["queue", "status"], registry=REGISTRY
)
JOB_DURATION = Histogram(
    "job_duration_seconds", "Run time of an attempt", ["queue"], buckets=_RUN, registry=REGISTRY
)
JOB_WAIT = Histogram(
    "job_queue_wait_seconds", "From due to started", ["queue"], buckets=_WAIT, registry=REGISTRY
)
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


def exposition() -> bytes:
    """All metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)
