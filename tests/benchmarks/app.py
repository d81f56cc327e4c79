"""The worker that the benchmarks run: Switchyard's own, with handlers that do nothing."""

import asyncio
from typing import Any

from tests.benchmarks.peers.script import JOBS, TALLY, tell
from worker.app import worker_settings
from worker.jobs.model import Completed, Outcome, StartedJob
from worker.jobs.payload_base import Payload
from worker.jobs.progress import Progress
from worker.jobs.queues import Queue, Retention
from worker.jobs.registry import Registry

REGISTRY = Registry()
QUEUES = {
    "bench": Queue(
        "bench", ("noop", "hold", "linger"), concurrency=1000, keep_completed=Retention(10_000_000)
    )
}


class Sent(Payload):
    """When the job was sent, in seconds since the epoch, if anybody wants to know."""

    sent: float | None = None


class Nothing(Payload):
    """No fields."""


class Held(Payload):
    """For how many seconds the job goes on once all of them have been started."""

    seconds: float


@REGISTRY.handles(Sent, queue="bench")
async def noop(job: Sent, _: Any) -> Outcome:
    """Do nothing."""
    TALLY.job(job.sent)
    return Completed()


@REGISTRY.handles(Held, queue="bench")
async def hold(job: Held, ctx: "Company") -> Outcome:
    """Wait until all jobs run at once, and a little longer."""
    TALLY.job()
    await ctx.all_running()
    await asyncio.sleep(job.seconds)
    return Completed()


@REGISTRY.handles(Nothing, queue="bench")
async def linger(_: Nothing, __: Any) -> Outcome:
    """Go on until cancelled, and tell of it."""
    tell("started")
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        tell("cancelled")
    return Completed()


class Company:
    """What the handlers share."""

    def __init__(self) -> None:
        self._running = 0
        self._all_running = asyncio.Event()

    async def all_running(self) -> None:
        """Wait for the others."""
        self._running += 1
        if self._running == JOBS:
            self._all_running.set()
        await self._all_running.wait()


class Opened:
    """Opened once a process."""

    def __init__(self, *_: Any) -> None:
        self._company = Company()

    def context(self, _: StartedJob, __: Progress) -> Company:
        """The second argument of a handler."""
        return self._company

    async def close(self) -> None:
        """Nothing was opened."""


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        return worker_settings(REGISTRY, QUEUES, Opened)
    raise AttributeError(name)
