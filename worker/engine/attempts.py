"""Running a handler so that it can be interrupted, and that its every end is an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from worker.jobs.model import Outcome, StartedJob


class LeaseLost(Exception):
    """The job belongs to another worker now."""


class Released(Exception):
    """This worker is stopping and gives the job back."""


class Cancelled(Exception):
    """Somebody asked for the job to be cancelled."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TimedOut(Exception):
    """The handler ran for longer than its queue allows."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"ran longer than its queue's limit of {seconds:g} s")
        self.seconds = seconds


class Interruption:
    """The way to cancel a handler, and why that was done. Only the handler: never the recording."""

    __slots__ = ("_task", "reason")

    def __init__(self) -> None:
        self.reason: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    def interrupt(self, reason: Exception) -> None:
        """Cancel the handler, now or as soon as it begins. The first reason stands."""
        if self.reason is None:
            self.reason = reason
            if self._task is not None:
                self._task.cancel()

    @property
    def handling(self) -> bool:
        """Whether the handler is running."""
        return self._task is not None

    def begin(self) -> None:
        """The calling task is about to run the handler."""
        self._task = asyncio.current_task()
        if self.reason is not None and self._task is not None:
            self._task.cancel()

    def end(self) -> None:
        """The handler has ended: from here on the task belongs to the recording."""
        task, self._task = self._task, None
        while task is not None and task.cancelling():
            task.uncancel()


class Deadlines:
    """Interrupts attempts that run into their limit, which is the same for all of them.

    So they run out in the order in which they begin, and one timer does for ten thousand.
    """

    def __init__(self, limit: TimedOut) -> None:
        self._limit = limit
        self._ends: dict[Interruption, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, interruption: Interruption) -> None:
        """The attempt begins now."""
        loop = asyncio.get_running_loop()
        self._ends[interruption] = end = loop.time() + self._limit.seconds
        if self._timer is None:
            self._timer = loop.call_at(end, self._look)

    def forget(self, interruption: Interruption) -> None:
        """The attempt has ended."""
        self._ends.pop(interruption, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ends:
            interruption, end = next(iter(self._ends.items()))
            if end > loop.time():
                self._timer = loop.call_at(end, self._look)
                return
            del self._ends[interruption]
            interruption.interrupt(self._limit)


@dataclass(slots=True)
class Held:
    """A lease of this worker, and the attempt that runs under it once the ledger has started it.

    `started` is when it began, `deadline` when it is given up, `sla_at` when it has taken too long
    for its queue's SLA; monotonic seconds, the latter two infinite when they do not apply.
    """

    token: str
    interruption: Interruption = field(default_factory=Interruption)
    job: StartedJob | None = None
    task: asyncio.Task[None] | None = None
    deadline: float = float("inf")
    started: float = 0.0
    sla_at: float = float("inf")

    @property
    def handling(self) -> bool:
        """Whether its handler is running."""
        return self.job is not None and self.interruption.handling


async def outcome_of(
    handle: Callable[[], Awaitable[Outcome]], interruption: Interruption, deadlines: Deadlines
) -> Outcome | BaseException:
    """What the handler answered, or the error that it ended with, or why it was interrupted.

    A handler that was told to end for good may say with any error that it did.
    """
    deadlines.watch(interruption)
    try:
        interruption.begin()
        return await handle()
    except asyncio.CancelledError as error:
        return interruption.reason or error
    except BaseException as error:  # noqa: BLE001  a handler's SystemExit is its own failure
        return interruption.reason if isinstance(interruption.reason, Cancelled) else error
    finally:
        deadlines.forget(interruption)
        interruption.end()
