"""A worker with handlers that misbehave: `arq tests.chaos.app.WorkerSettings`."""

import asyncio
import ctypes
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import worker.engine.claims
from worker.errors import PermanentError, RecordUnavailable
from worker.jobs.backoff import Backoff
from worker.jobs.model import Cancel, Completed, Failed, Outcome, Snooze, StartedJob
from worker.jobs.payloads import ArtifactScan, Payload, ProjectPayload
from worker.jobs.queues import Queue, Retention
from worker.jobs.registry import Registry

PR_SET_PDEATHSIG = 1
PROMPT = Backoff("fixed", 0.05)
KEEP = Retention(1_000_000)

REGISTRY = Registry()
QUEUES = {
    q.name: q
    for q in (
        Queue("noop", ("noop",), backoff=PROMPT, concurrency=200, keep_completed=KEEP),
        Queue("work", ("work", "gated", "obey", "hog"), backoff=PROMPT, concurrency=20, timeout=60),
        Queue("ends", ("end", "enrolled", "stubborn"), backoff=PROMPT, timeout=0.5),
        Queue("promised", ("fail",), 3, Backoff("exponential", 2.0)),
        Queue("artifact-scan", ("artifact_scan",)),
    )
}


class Nothing(Payload):
    """No details."""


class Work(Payload):
    """A step of so many seconds."""

    seconds: Annotated[float, Field(ge=0)] = 0.0


class Order(Payload):
    """What to do to this process or to this attempt."""

    how: str


class Enrolled(ProjectPayload):
    """About a project."""


class Trace:
    """A handler's context: notes what it did in a file that no outage can touch."""

    def __init__(self, job: StartedJob) -> None:
        self._job = job

    def note(self, step: str) -> None:
        """Append `job attempt step` to the file of CHAOS_EFFECTS, in one write."""
        line = f"{self._job.id} {self._job.attempt} {step}\n".encode()
        target = os.open(os.environ["CHAOS_EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(target, line)
        os.close(target)


class Traces:
    """Nothing to open."""

    def context(self, job: StartedJob) -> Trace:
        """The notes of this attempt."""
        return Trace(job)

    async def close(self) -> None:
        """Nothing to close."""


@REGISTRY.handles(Nothing, queue="noop")
async def noop(job: Nothing, ctx: Trace) -> Outcome:
    """Be done at once."""
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Work, queue="work")
async def work(job: Work, ctx: Trace) -> Outcome:
    """Take a while."""
    ctx.note("begun")
    await asyncio.sleep(job.seconds)
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Nothing, queue="work")
async def gated(job: Nothing, ctx: Trace) -> Outcome:
    """Take until the gate is opened: until the file of CHAOS_GATE exists."""
    ctx.note("begun")
    while not Path(os.environ["CHAOS_GATE"]).exists():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Order, queue="work")
async def obey(job: Order, ctx: Trace) -> Outcome:
    """End this process, the hard way."""
    ctx.note("begun")
    if job.how == "exit":
        os._exit(9)
    os.kill(os.getpid(), signal.SIGKILL)
    return Completed()


@REGISTRY.handles(Work, queue="work")
async def hog(job: Work, ctx: Trace) -> Outcome:
    """Block the event loop, on the first attempt only."""
    ctx.note("begun")
    if ctx._job.attempt == 1:
        time.sleep(job.seconds)  # noqa: ASYNC251  this is the misbehaviour
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Nothing, queue="promised")
async def fail(job: Nothing, ctx: Trace) -> Outcome:
    """Fail always."""
    ctx.note("begun")
    raise RuntimeError("as ordered")


@REGISTRY.handles(Order, queue="ends")
async def end(job: Order, ctx: Trace) -> Outcome:
    """End this attempt in the way that the order names."""
    ctx.note("begun")
    outcome: Outcome = await ENDS[job.how]()
    return outcome


@REGISTRY.handles(Enrolled, queue="ends")
async def enrolled(job: Enrolled, ctx: Trace) -> Outcome:
    """Need a project."""
    return Completed()


@REGISTRY.handles(Nothing, queue="ends")
async def stubborn(job: Nothing, ctx: Trace) -> Outcome:
    """Swallow the cancellation that the time limit sends."""
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        ctx.note("swallowed")
    return Completed()


@REGISTRY.handles(ArtifactScan, queue="artifact-scan")
async def artifact_scan(job: ArtifactScan, ctx: Trace) -> Outcome:
    """Stand in for the scan of a push."""
    ctx.note("done")
    return Completed()


def _bottomless() -> list[Any]:
    bottomless: list[Any] = []
    bottomless.append(bottomless)
    return bottomless


async def _raise(error: BaseException) -> Outcome:
    raise error


async def _answer(outcome: Any) -> Any:
    return outcome


ENDS: dict[str, Any] = {
    "failed": lambda: _answer(Failed("returned")),
    "permanent": lambda: _raise(PermanentError("for good")),
    "exception": lambda: _raise(ValueError("raised")),
    "system exit": lambda: _raise(SystemExit(3)),
    "keyboard interrupt": lambda: _raise(KeyboardInterrupt()),
    "cancelled error": lambda: _raise(asyncio.CancelledError()),
    "timeout": lambda: asyncio.sleep(30),
    "own timeout": lambda: _raise(TimeoutError("of the handler's own")),
    "no decision": lambda: _answer("done"),
    "cancel": lambda: _answer(Cancel("pointless")),
    "snooze": lambda: _answer(Snooze(3600.0)),
    "outage": lambda: _raise(RecordUnavailable("Postgres is away")),
    "nul": lambda: _answer(Failed("a\0b")),
    "permanent nul": lambda: _raise(PermanentError("a\0b\ud800")),
    "wrong message": lambda: _answer(Failed(17)),  # type: ignore[arg-type]
    "endless snooze": lambda: _answer(Snooze(float("inf"))),
    "wild snooze": lambda: _answer(Snooze(1e17)),
    "bottomless data": lambda: _answer(Completed(data=_bottomless())),
    "odd keys": lambda: _answer(Completed(data={("a", 1): 2})),
    "huge number": lambda: _answer(Completed(number=10**5000)),
}


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(name)
    # A worker outlives no test, even one that is killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Shortened before the engine reads it: a lost lease is what several scenarios wait for.
    worker.engine.claims.LEASE_MS = int(os.environ.get("CHAOS_LEASE_MS", "12000"))
    from worker.app import worker_settings

    settings: Any = worker_settings(REGISTRY, QUEUES, lambda settings, pool: Traces())
    if "CHAOS_HEARTBEAT" in os.environ:
        [heartbeat] = settings.cron_jobs
        settings.cron_jobs = [replace(heartbeat, second=set(range(60)))]
    return settings
