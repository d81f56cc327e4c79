"""A worker with handlers that misbehave: `arq tests.chaos.app.WorkerSettings`."""

import ctypes
import os
import resource
import signal
from dataclasses import replace
from importlib import import_module
from typing import Any

from tests.chaos import clock
from tests.chaos.context import Trace, Traces
from tests.chaos.handlers import REGISTRY, add_novelties
from worker.jobs.backoff import Backoff
from worker.jobs.queues import Queue, Retention

__all__ = ["QUEUES", "REGISTRY", "Trace"]

PR_SET_PDEATHSIG = 1
PROMPT = Backoff("fixed", 0.05)
KEEP = Retention(1_000_000)

# Changed before the engine reads them: a lost lease is what several scenarios wait for, and where
# workers are killed again and again no job should count as poison.
CONSTANTS = (
    ("worker.engine.claims", "LEASE_MS", "CHAOS_LEASE_MS"),
    ("worker.jobs.ledger", "CRASHES_ALLOWED", "CHAOS_CRASHES_ALLOWED"),
    ("worker.engine.queue_worker", "OVERRUN_GRACE_SECONDS", "CHAOS_GRACE_SECONDS"),
)

QUEUES = {
    q.name: q
    for q in (
        Queue("noop", ("noop",), backoff=PROMPT, concurrency=200, keep_completed=KEEP),
        Queue(
            "work", ("work", "effects", "gated", "obey", "hog", "greedy"), backoff=PROMPT,
            concurrency=20, timeout=300, keep_completed=KEEP,
        ),
        Queue("keyed", ("keyed",), backoff=PROMPT, per_key=1, keep_completed=KEEP),
        Queue("ends", ("end", "enrolled", "stubborn", "deaf"), backoff=PROMPT, timeout=0.5),
        Queue("promised", ("fail",), 3, Backoff("exponential", 2.0)),
        Queue("artifact-scan", ("artifact_scan",), keep_completed=KEEP),
    )
}  # fmt: skip


def prepare() -> None:
    """Make this process the one that the scenario asked for, before the engine is imported."""
    # A worker outlives no test, even one that is killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for name_of_module, constant, variable in CONSTANTS:
        if variable in os.environ:
            module = import_module(name_of_module)
            setattr(module, constant, type(getattr(module, constant))(os.environ[variable]))
    if "CHAOS_MEMORY_MB" in os.environ:
        allowed = int(os.environ["CHAOS_MEMORY_MB"]) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(name)
    prepare()
    if "CHAOS_NEW_VERSION" in os.environ:
        add_novelties()
    from worker.app import worker_settings

    clock.install()
    settings: Any = worker_settings(REGISTRY, QUEUES, Traces)
    if "CHAOS_HEARTBEAT" in os.environ:
        [heartbeat] = settings.cron_jobs
        settings.cron_jobs = [replace(heartbeat, second=set(range(60)))]
    return settings
