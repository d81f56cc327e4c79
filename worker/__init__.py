"""Switchyard's worker: jobs, their record, and the engine that runs them."""

from typing import Any


def __getattr__(name: str) -> Any:
    # Importing the package reads no environment; `arq worker.WorkerSettings` asks for this name.
    if name == "WorkerSettings":
        from worker import product
        from worker.app import worker_settings

        return worker_settings(
            product.REGISTRY, product.QUEUES, product.open_resources, product.BUILT_IN
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
