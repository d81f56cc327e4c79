"""Ends the process when its event loop has been stuck for longer than a lease.

A stuck loop renews nothing, so its jobs already run elsewhere; only a fresh process helps.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time

from worker import logs

EXIT_CODE = 70


class Watchdog:
    """A thread that looks at a counter which only a living loop moves on.

    It counts its own ticks and not the wall's: a process that was stopped as a whole (SIGSTOP, a
    suspended machine) is late, but not stuck. `lag` is the loop's last lateness in seconds.
    """

    def __init__(self, limit_seconds: float, tick: float = 1.0) -> None:
        self._limit = limit_seconds
        self._tick = tick
        self._turns = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self.lag = 0.0

    def start(self) -> asyncio.Task[None]:
        """Begin to watch; the answered task moves the counter."""
        self._thread.start()
        return asyncio.get_running_loop().create_task(self._turn())

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    async def _turn(self) -> None:
        while not self._stopped.is_set():
            before = time.monotonic()
            await asyncio.sleep(self._tick / 2)
            self._turns += 1
            self.lag = max(0.0, time.monotonic() - before - self._tick / 2)

    def _watch(self) -> None:
        seen, still = self._turns, 0
        while not self._stopped.wait(self._tick):
            still = still + 1 if self._turns == seen else 0
            seen = self._turns
            if still * self._tick > self._limit:
                self._end(still * self._tick)

    def _end(self, stuck: float) -> None:
        logs.flush()
        print(f"watchdog: the event loop was stuck for {stuck:.0f} s", file=sys.stderr)  # noqa: T201
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        os._exit(EXIT_CODE)
