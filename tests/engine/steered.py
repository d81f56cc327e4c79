"""Queues and handlers that can be steered, and an engine that runs them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from arq.connections import ArqRedis

from tests.chaos.context import Trace
from worker.database.pool import Pool
from worker.engine.engine import Engine
from worker.jobs.backoff import Backoff
from worker.jobs.model import Completed, Failed, Outcome
from worker.jobs.payload_base import Payload
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry

REGISTRY = Registry()
PROMPT = Backoff("fixed", 0.05)
KINDS = ("wait", "deaf", "excuse", "yield_anyway", "report", "fail_late")
QUEUES = {
    q.name: q
    for q in (
        Queue("work", KINDS, backoff=PROMPT, concurrency=4, timeout=60),
        Queue("watched", ("late", "late_failure"), 2, backoff=PROMPT, concurrency=20, sla=0.2),
    )
}
OpenSteered = Callable[..., AbstractAsyncContextManager[Engine]]


class Nothing(Payload):
    """No details."""


class Reporting(Payload):
    """Report from 0 up to so many, so many times a second; then end, well or not."""

    calls: int
    pause: float = 0.0
    then: str = "complete"


class Lasting(Payload):
    """So many seconds."""

    seconds: float


@REGISTRY.handles(Nothing, queue="work")
async def wait(job: Nothing, ctx: Trace) -> Outcome:
    """Wait for ever."""
    ctx.note("begun")
    try:
        await asyncio.Event().wait()
    finally:
        ctx.note("ended")
    return Completed()


@REGISTRY.handles(Nothing, queue="work")
async def deaf(job: Nothing, ctx: Trace) -> Outcome:
    """Go on until the gate is opened, whoever cancels it."""
    ctx.note("begun")
    while not ctx.gate_is_open():
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            ctx.note("swallowed")
    return Completed()


@REGISTRY.handles(Nothing, queue="work")
async def excuse(job: Nothing, ctx: Trace) -> Outcome:
    """Turn a cancellation into an error of its own."""
    ctx.note("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("something else went wrong") from None
    return Completed()


@REGISTRY.handles(Nothing, queue="work")
async def yield_anyway(job: Nothing, ctx: Trace) -> Outcome:
    """Complete at the moment when the cancellation comes."""
    ctx.note("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return Completed()
    return Completed()


@REGISTRY.handles(Nothing, queue="work")
async def fail_late(job: Nothing, ctx: Trace) -> Outcome:
    """Fail at the moment when the cancellation comes."""
    ctx.note("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return Failed("too late")
    return Completed()


@REGISTRY.handles(Reporting, queue="work")
async def report(job: Reporting, ctx: Trace) -> Outcome:
    """Report progress."""
    ctx.note("begun")
    for n in range(job.calls):
        ctx.progress(n, f"step {n}")
        await asyncio.sleep(job.pause)
    if job.then == "fail":
        return Failed("as ordered")
    if job.then == "wait":
        await asyncio.Event().wait()
    return Completed()


@REGISTRY.handles(Lasting, queue="watched")
async def late(job: Lasting, ctx: Trace) -> Outcome:
    """Take a while."""
    ctx.note("begun")
    await asyncio.sleep(job.seconds)
    return Completed()


@REGISTRY.handles(Lasting, queue="watched")
async def late_failure(job: Lasting, ctx: Trace) -> Outcome:
    """Take a while, and fail."""
    await asyncio.sleep(job.seconds)
    return Failed("as ordered")


@asynccontextmanager
async def steered(pool: Pool, redis: ArqRedis, **options: Any) -> AsyncIterator[Engine]:
    """An engine that runs until the end of the block."""
    engine = Engine(
        pool=pool, redis=redis, queues=QUEUES, registry=REGISTRY, make_context=Trace, **options
    )
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop(5.0)
