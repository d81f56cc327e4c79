"""The handlers, one module a kind. Importing this package registers them all."""

from worker.handlers import (  # noqa: F401  importing registers
    artifact_scan,
    cleanup,
    dead_letter_cleanup,
    retention,
)
from worker.handlers.registry import REGISTRY

__all__ = ["REGISTRY"]
