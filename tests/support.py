"""Waiting for what becomes true, without guessing how long it takes."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")


async def eventually(
    check: Callable[[], Seen | Awaitable[Seen]], timeout: float = 5.0, interval: float = 0.01
) -> Seen:
    """Return the first truthy answer of `check`, sync or async.

    An AssertionError counts as not yet. After `timeout` seconds the last one is raised, or an
    AssertionError that shows the last answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        failure, seen = await _attempt(check)
        if seen:
            return seen
        if time.monotonic() >= deadline:
            raise failure or AssertionError(f"still {seen!r} after {timeout} s")
        await asyncio.sleep(interval)


async def _attempt(
    check: Callable[[], Seen | Awaitable[Seen]],
) -> tuple[AssertionError | None, Seen | None]:
    try:
        answer = check()
        return None, await answer if inspect.isawaitable(answer) else answer
    except AssertionError as failure:
        return failure, None
