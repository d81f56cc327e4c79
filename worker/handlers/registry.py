"""The one registry that the handlers of this package fill."""

from worker.jobs.registry import Registry

REGISTRY = Registry()
