"""What the peers' scripts share. They run in environments of their own: standard library only.

A script is called with one word: `fill` to enqueue JOBS jobs, `work` to run them, `send` to enqueue
JOBS jobs at RATE a second. JOBS, FROM, RATE, REDIS_URL, DATABASE_URL and TUNING (a JSON object)
come from the environment.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any

JOBS, FROM = int(os.environ["JOBS"]), int(os.environ.get("FROM", "1"))
REDIS_URL = os.environ["REDIS_URL"]
DATABASE_URL = os.environ["DATABASE_URL"]
TUNING: dict[str, Any] = json.loads(os.environ["TUNING"])
_CHUNK = 1000


def tell(what: str, **more: object) -> None:
    """Print a line of JSON: what happened, and when, in seconds since the epoch."""
    print(json.dumps({what: time.time(), **more}), flush=True)


class Tally:
    """Counts started jobs, from any thread; prints a line of JSON at job FROM and at job JOBS.

    `first` and `last` are seconds since the epoch, `waits` milliseconds from sending to starting.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._waits: list[float] = []

    def job(self, sent: float | None = None) -> None:
        """A job was started."""
        number = next(self._numbers)
        if number == FROM:
            tell("first")
        if sent is not None:
            self._waits.append((time.time() - sent) * 1000)
        if number == JOBS:
            tell("last", waits=self._waits)


TALLY = Tally()


def chunks() -> Iterator[int]:
    """How many jobs to enqueue together, until there are JOBS."""
    for start in range(0, JOBS, _CHUNK):
        yield min(_CHUNK, JOBS - start)


async def paced(send: Callable[[float], Awaitable[Any]]) -> None:
    """Send JOBS jobs at RATE a second, whether or not earlier ones were answered.

    `send` gets the time in seconds since the epoch.
    """
    rate = float(os.environ["RATE"])
    begin = time.time() + 0.1
    sending = []
    for number in range(JOBS):
        await asyncio.sleep(max(begin + number / rate - time.time(), 0.0))
        sending.append(asyncio.ensure_future(send(time.time())))
    await asyncio.gather(*sending)


def chosen(**commands: Callable[[], Any]) -> Any:
    """Begin what the command line asks for."""
    return commands[sys.argv[1]]()
