"""Handlers that misbehave, and one that does what handlers should."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Annotated

from pydantic import Field

from tests.chaos.context import Trace
from tests.chaos.ends import ENDS
from worker.jobs.model import Completed, Outcome
from worker.jobs.payload_base import Payload, ProjectPayload
from worker.jobs.payloads import ArtifactScan
from worker.jobs.registry import Registry

REGISTRY = Registry()


class Nothing(Payload):
    """No details."""


class Work(Payload):
    """A step of so many seconds."""

    seconds: Annotated[float, Field(ge=0)] = 0.0


class Effects(Payload):
    """So many steps, each of so many seconds and one effect; `die`: kill its worker after the last
    step's effect, on the first attempt only."""

    steps: int = 1
    seconds: float = 0.0
    die: bool = False


class Appetite(Payload):
    """So much memory."""

    megabytes: int


class Order(Payload):
    """What to do to this process or to this attempt."""

    how: str


class Enrolled(ProjectPayload):
    """About a project."""


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


@REGISTRY.handles(Effects, queue="work")
async def effects(job: Effects, ctx: Trace) -> Outcome:
    """Have effects on the world, each of which must happen once."""
    ctx.note("begun")
    for step in range(1, job.steps + 1):
        await asyncio.sleep(job.seconds)
        await ctx.effect(str(step))
    if job.die and ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Work, queue="keyed")
async def keyed(job: Work, ctx: Trace) -> Outcome:
    """Be the only one of a key, for a while."""
    ctx.note("begun")
    await asyncio.sleep(job.seconds)
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Appetite, queue="work")
async def greedy(job: Appetite, ctx: Trace) -> Outcome:
    """Take memory, and really use it."""
    ctx.note("begun")
    block = bytearray(job.megabytes * 2**20)
    block[::4096] = b"x" * len(range(0, len(block), 4096))
    await asyncio.sleep(0.1)
    ctx.note("done")
    return Completed()


@REGISTRY.handles(Nothing, queue="ends")
async def deaf(job: Nothing, ctx: Trace) -> Outcome:
    """Go on until the gate is opened, whoever cancels it."""
    ctx.note("begun")
    while not Path(os.environ["CHAOS_GATE"]).exists():
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            ctx.note("swallowed")
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
    if ctx.attempt == 1:
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
    """Stand in for the scan of a push: CHAOS_SCAN_SECONDS long, until the gate is opened."""
    seconds = float(os.environ.get("CHAOS_SCAN_SECONDS", "0"))
    if seconds and not Path(os.environ["CHAOS_GATE"]).exists():
        await asyncio.sleep(seconds)
    ctx.note("done")
    return Completed()


def add_novelties() -> None:
    """Register what only the new version of the program knows."""

    @REGISTRY.handles(Nothing, queue="work")
    async def novel(job: Nothing, ctx: Trace) -> Outcome:
        """Be of a kind that the old version has never heard of."""
        ctx.note("done")
        return Completed()
