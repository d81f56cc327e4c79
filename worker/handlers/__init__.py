"""The handlers, one module a kind. Importing this package registers them all."""

from worker.handlers import (  # noqa: F401  importing registers
    artifact_scan,
    cleanup,
    conflict_detection,
    dead_letter_cleanup,
    gate_evaluation,
    github_report,
    missed_deliveries,
    report_sweep,
    retention,
)
from worker.handlers.registry import REGISTRY

__all__ = ["REGISTRY"]
