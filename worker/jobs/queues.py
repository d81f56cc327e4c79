"""The policy table: every queue, with its defaults. One row is one queue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from worker.errors import ConfigurationError
from worker.jobs.backoff import Backoff

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of ended jobs: at most `count` of them, none older than `age` seconds."""

    count: int
    age: float | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` starts in any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's policy. `attempts` counts the first one too; `timeout` and `sla` are seconds.

    `rate` limits starts, `per_key` and `per_organisation` running jobs, all over every worker.
    `cancel_superseded`: a newer job of the same lane also cancels one that is running.
    """

    name: str
    kinds: tuple[str, ...]
    attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    concurrency: int = 10
    timeout: float = 300.0
    sla: float | None = None
    keep_completed: Retention = Retention(1000, 7 * DAY)
    keep_failed: Retention = Retention(5000, 30 * DAY)
    rate: Rate | None = None
    per_key: int | None = None
    per_organisation: int | None = None
    cancel_superseded: bool = False


_EVERY_2_S = Backoff("exponential", 2.0)
_EVERY_1_S = Backoff("exponential", 1.0)
_AFTER_5_S = Backoff("fixed", 5.0)
_KEEP_100, _KEEP_500 = Retention(100), Retention(500)

QUEUES: dict[str, Queue] = {
    q.name: q
    for q in (
        Queue("artifact-scan", ("artifact_scan",), 3, _EVERY_2_S, 10, 300, 30,
              _KEEP_100, _KEEP_500),
        Queue("conflict-detection", ("conflict_detection",), 3, _EVERY_2_S, 5, 300, 30,
              _KEEP_100, _KEEP_500),
        Queue("gate-evaluation", ("gate_evaluation",), 3, _EVERY_2_S, 2, 900, 600,
              _KEEP_100, _KEEP_500, cancel_superseded=True),
        Queue("analysis", ("analysis",), 3, _EVERY_2_S, 10, 600, 300,
              Retention(1000, DAY), Retention(5000, 7 * DAY), rate=Rate(100, 60)),
        Queue("refactoring", ("refactoring",), 2, _AFTER_5_S, 5, 1200, 600),
        Queue("test-generation", ("test_generation",), 2, _AFTER_5_S, 5, 1200, 600),
        Queue("indexing", ("index", "blueprint"), 3, _EVERY_2_S, 5, 600, 300, per_key=1),
        # Longer than the 30 s that a call may take, so that what came of it can be recorded.
        Queue("webhooks", ("webhook_delivery",), 6, _EVERY_1_S, 50, 35, 5, per_key=2),
        Queue("webhook-probes", ("endpoint_probe",), 1, _AFTER_5_S, 5, 35, None),
        Queue("github-reports", ("github_report", "missed_deliveries", "report_sweep"),
              6, _EVERY_2_S, 20, 60, 30),
        Queue("cleanup", ("cleanup",), 1, _AFTER_5_S, 2, 1800, None),
        Queue("flagship:audit", ("audit_event",), 6, _EVERY_1_S, 10, 30, 5),
        Queue("flagship:usage", ("usage_ingestion",), 6, _EVERY_1_S, 10, 60, 10),
        Queue("flagship:notifications", ("notification",), 4, Backoff("linear", 1.0), 10, 30, 30),
        Queue("flagship:auto-actions", ("auto_action",), 4, _EVERY_1_S, 5, 30, 10),
        Queue("flagship:maintenance",
              ("period_rollover", "usage_aggregation", "dead_letter_cleanup", "retention"),
              1, _AFTER_5_S, 1, 1800, None),
    )
}  # fmt: skip


def configured(
    overrides: Mapping[str, Mapping[str, int]], queues: Mapping[str, Queue] = QUEUES
) -> dict[str, Queue]:
    """The table with `{"ARTIFACT_SCAN": {"concurrency": 20}}` applied.

    Raises ConfigurationError naming every queue that does not exist.
    """
    by_variable = {_variable(name): name for name in queues}
    unknown = [n for n in overrides if n not in by_variable]
    if unknown:
        raise ConfigurationError([f"QUEUE_{n}_…: there is no such queue" for n in unknown])
    changed = {by_variable[n]: values for n, values in overrides.items()}
    return {name: replace(q, **changed.get(name, {})) for name, q in queues.items()}  # type: ignore[arg-type]


def chosen(names: Iterable[str] | None, queues: Mapping[str, Queue]) -> dict[str, Queue]:
    """The queues with these names, or all of them. Raises ConfigurationError for unknown names."""
    if names is None:
        return dict(queues)
    unknown = [n for n in names if n not in queues]
    if unknown:
        known = ", ".join(queues)
        raise ConfigurationError(
            [f"WORKER_QUEUES: no queue {n!r}; there are {known}" for n in unknown]
        )
    return {n: queues[n] for n in names}


def _variable(name: str) -> str:
    return name.upper().replace("-", "_").replace(":", "_")
