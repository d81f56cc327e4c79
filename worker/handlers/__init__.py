"""The handlers, one module a kind. Importing this package registers them all."""

from worker.handlers import artifact_scan  # noqa: F401  importing registers
from worker.handlers.registry import REGISTRY

__all__ = ["REGISTRY"]
