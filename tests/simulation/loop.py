"""An event loop whose clock jumps, shared by simulated processes that can be paused and killed."""

import asyncio
import heapq
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any

# More turns than any burst of work takes at one instant: beyond it somebody spins.
MOST_TURNS_AT_ONCE = 50_000
EPOCH_SECONDS = 1_800_000_000
# Three seconds before a full minute.
START_SECONDS = 1017.0

_process: ContextVar["Process | None"] = ContextVar("process", default=None)
_numbers = count()


class Spinning(Exception):
    """Somebody goes round and round without letting time pass."""


class Process:
    """What one operating system process would run: every task and timer begun within it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        # What its wall clock shows beyond the true time, in seconds.
        self.clock_error = 0.0
        self.waiting: deque[Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.on_death: list[Callable[[], None]] = []
        # After so many more turns something happens to it.
        self._fuse: tuple[int, Callable[[], None]] | None = None
        self._context = copy_context()
        self._context.run(_process.set, self)

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in this process."""
        loop = asyncio.get_running_loop()
        return self._context.copy().run(loop.create_task, coroutine)

    def after_turns(self, turns: int, happens: Callable[[], None]) -> None:
        """Have something happen to it between two awaits, and not at a moment of its choice."""
        self._fuse = turns, happens

    def burn(self) -> None:
        """Another turn was taken."""
        if self._fuse is not None:
            turns, happens = self._fuse
            self._fuse = (turns - 1, happens) if turns else None
            if not turns:
                happens()

    def kill(self) -> None:
        """End it at once: nothing in it ever runs again, and nothing is cleaned up."""
        self.alive = False
        self.waiting.clear()
        for notify in self.on_death:
            notify()


def current_process() -> Process | None:
    """The process that the calling code belongs to; None for the world outside."""
    return _process.get()


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*arguments, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs what is ready, one random process at a time; when nothing is, time jumps."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._now = START_SECONDS
        self._turns = 0
        self._timers: list[tuple[float, int, Any]] = []
        self._world = Process("world")
        self._processes = [self._world]
        self._outside = Context()
        self.set_task_factory(self._new_task)

    def time(self) -> float:
        """Virtual seconds; true for every process."""
        return self._now

    def wall_clock(self) -> float:
        """Seconds since the epoch, as the calling process's clock shows them."""
        process = _process.get()
        error = process.clock_error if process is not None else 0.0
        return EPOCH_SECONDS + self._now + error

    def new_process(self, name: str) -> Process:
        """A process that has not begun anything yet."""
        process = Process(name)
        self._processes.append(process)
        return process

    def outside(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> Handle:
        """Call back after a delay, whatever becomes of the process that asks for it."""
        return self.call_at(self._now + delay, callback, *arguments, context=self._outside)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Queue a callback in its own process at that time; of one time, in order."""
        timer = TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(_numbers), timer))
        return timer

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        """Queue a callback in its own process."""
        handle = Handle(callback, args, self, context)
        self._queue(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        """There are no threads here."""
        return self.call_soon(callback, *args, context=context)

    def pending(self) -> list[asyncio.Task[Any]]:
        """Every task that has not ended, those of killed processes included."""
        return [t for p in self._processes for t in p.tasks if not t.done()]

    def _new_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Task[Any]:
        task = _Task(coroutine, loop=loop, **options)
        # Also what keeps a killed process's tasks from being collected, and so from cleaning up.
        (_process.get() or self._world).tasks.append(task)
        return task

    def _queue(self, handle: Any) -> None:
        process = handle._context.get(_process) or self._world
        if process.alive:
            process.waiting.append(handle)

    def _run_once(self) -> None:
        runnable = [p for p in self._processes if p.waiting and not p.paused]
        if not runnable:
            return self._pass_time()
        self._turns += 1
        if self._turns > MOST_TURNS_AT_ONCE:
            raise Spinning(f"at one instant, in {[p.name for p in runnable]}")
        process = runnable[0] if len(runnable) == 1 else self._random.choice(runnable)
        # As asyncio does: what is ready now gets its turn before what it makes ready.
        for _ in range(len(process.waiting)):
            if process.paused or not process.waiting:
                return None
            handle: Any = process.waiting.popleft()
            if not handle._cancelled:
                handle._run()
                process.burn()
        return None

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Spinning("nothing is left that could ever happen")
        self._turns = 0
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:
                self._queue(timer)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Cancelled timers are dropped when their time comes."""

    def _process_events(self, event_list: Any) -> None:
        """There is no input or output."""

    def _write_to_self(self) -> None:
        """There is nothing that sleeps."""
