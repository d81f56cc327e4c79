"""Every way in which a handler can end an attempt, by name."""

import asyncio
from typing import Any

from worker.errors import PermanentError, RecordUnavailable
from worker.jobs.model import Cancel, Completed, Failed, Outcome, Snooze


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
    "failed for an hour": lambda: _answer(Failed("returned", retry_in=3600.0)),
    "endless failure": lambda: _answer(Failed("returned", retry_in=float("inf"))),
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
