"""The handlers, one module a kind. Importing this package registers them all."""

from worker.handlers import (  # noqa: F401  importing registers
    artifact_scan,
    audit_event,
    auto_action,
    cleanup,
    conflict_detection,
    dead_letter_cleanup,
    endpoint_probe,
    gate_evaluation,
    github_report,
    missed_deliveries,
    notification,
    period_rollover,
    report_sweep,
    retention,
    usage_aggregation,
    usage_ingestion,
    webhook_delivery,
)
from worker.handlers.registry import REGISTRY

__all__ = ["REGISTRY"]
