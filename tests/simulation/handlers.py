"""Handlers that do what their job's payload says, and leave effects under the fence."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol
from uuid import UUID

from pydantic import Field

from tests.simulation.fake_postgres.record import STATEMENTS, Record, Row
from tests.simulation.loop import Process
from worker.database.pool import unavailable_as_error
from worker.errors import PermanentError, RecordUnavailable
from worker.jobs.model import Cancel, Completed, Failed, Outcome, Snooze, StartedJob
from worker.jobs.payload_base import Payload
from worker.jobs.progress import Progress
from worker.jobs.registry import Registry

WRITE_EFFECT = "an effect of a handler, written under the fence of its attempt"


class Orders(Payload):
    """What each attempt does, how often it leaves an effect, and how long a step takes."""

    acts: list[str]
    steps: int
    seconds: Annotated[float, Field(ge=0)]


@dataclass(eq=False)
class Run:
    """One handler's run, as the world outside sees it."""

    job: StartedJob
    process: Process
    began: float
    key: str | None = None
    ended: float | None = None
    answer: str = ""
    # Whether it was told to end and does not: its job goes on without it.
    ignores_its_end: bool = False


class Host(Protocol):
    """What a handler needs of the process that it runs in."""

    process: Process
    pool: Any

    def block(self, seconds: float) -> None:
        """Let nothing in this process have a turn."""


@dataclass
class Effects:
    """Who did which step of which job; once each, whoever was first."""

    done: dict[tuple[UUID, int], int] = field(default_factory=dict)

    def write(self, record: Record, job_id: UUID, attempt: int, step: int) -> list[Row]:
        """Let an effect come about if the attempt owns the job."""
        job = record.jobs.get(job_id)
        owned = job is not None and job["state"] == "running" and job["attempt"] == attempt
        if owned:
            self.done.setdefault((job_id, step), attempt)
        return [{"owned": owned}]


class Context:
    """The second argument of the simulated handlers."""

    def __init__(self, job: StartedJob, progress: Progress, host: Host) -> None:
        self.job = job
        self.progress = progress
        self.host = host
        self.run: Run

    async def effect(self, step: int) -> None:
        """Leave an effect. Raises RecordUnavailable."""
        async with unavailable_as_error():
            owned = await self.host.pool.fetchval(WRITE_EFFECT, self.job.id, self.job.attempt, step)
        if not owned:
            raise RuntimeError("another attempt owns the job")


def registry(watch: Callable[[StartedJob, Process], Run], *, knows_novel: bool) -> Registry:
    """The handlers of one process; `watch` is told of every run that begins."""
    found = Registry()

    async def obey(orders: Orders, ctx: Context) -> Outcome:
        run = ctx.run = watch(ctx.job, ctx.host.process)
        try:
            outcome: Outcome = await _obey(orders, ctx)
            run.answer = type(outcome).__name__
            return outcome
        except BaseException as error:
            run.answer = type(error).__name__
            raise
        finally:
            run.ended = asyncio.get_running_loop().time()

    async def limited(orders: Orders, ctx: Context) -> Outcome:
        return await obey(orders, ctx)

    async def novel(orders: Orders, ctx: Context) -> Outcome:
        return await obey(orders, ctx)

    found.handles(Orders, queue="plain")(obey)
    found.handles(Orders, queue="limited")(limited)
    if knows_novel:
        found.handles(Orders, queue="plain")(novel)
    return found


async def _obey(orders: Orders, ctx: Context) -> Any:
    act = orders.acts[min(ctx.job.attempt, len(orders.acts)) - 1]
    for step in range(orders.steps):
        ctx.progress(100 * step / orders.steps, f"step {step}")
        await asyncio.sleep(orders.seconds)
        await ctx.effect(step)
    return await _ENDS[act](ctx)


async def _raise(error: BaseException) -> Outcome:
    raise error


async def _answer(outcome: Any) -> Any:
    return outcome


async def _kill(ctx: Context) -> Outcome:
    ctx.host.process.kill()
    await asyncio.sleep(1.0)
    raise AssertionError("a dead process goes on")


async def _block(ctx: Context) -> Outcome:
    ctx.host.block(20.0 if ctx.job.attempt == 1 else 0.5)
    await asyncio.sleep(0)
    return Completed()


async def _overrun(ctx: Context) -> Outcome:
    await asyncio.sleep(100.0)
    return Completed()


async def _stubborn(ctx: Context) -> Outcome:
    try:
        await asyncio.sleep(100.0)
    except asyncio.CancelledError:
        ctx.run.ignores_its_end = True
        await asyncio.sleep(45.0 if ctx.job.attempt == 1 else 1.0)
    return Completed()


_ENDS: dict[str, Callable[[Context], Any]] = {
    "complete": lambda ctx: _answer(Completed(attempt=ctx.job.attempt)),
    "fail": lambda _: _answer(Failed("as ordered")),
    "raise": lambda _: _raise(ValueError("as ordered")),
    "permanent": lambda _: _raise(PermanentError("as ordered")),
    "cancel": lambda _: _answer(Cancel("as ordered")),
    "snooze": lambda _: _answer(Snooze(0.7)),
    "outage": lambda _: _raise(RecordUnavailable("as ordered")),
    "overrun": _overrun,
    "stubborn": _stubborn,
    "kill": _kill,
    "block": _block,
    "exit": lambda _: _raise(SystemExit(3)),
    "nonsense": lambda _: _answer("done"),
}


def keep_effects(effects: Effects) -> None:
    """Have the simulated Postgres know the handlers' own statement."""
    STATEMENTS[WRITE_EFFECT] = ("effect", effects.write)
