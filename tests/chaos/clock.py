"""A wall clock that can be wrong: CHAOS_CLOCK names a file with the seconds that it is off by.

`python -m tests.chaos.clock MODULE` runs a module's `main` with such a clock.
"""

import datetime
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Self

_time, _time_ns = time.time, time.time_ns
_looked, _offset = float("-inf"), 0.0


def install() -> None:
    """From here on this process's wall clock is off; monotonic clocks never are."""
    if "CHAOS_CLOCK" not in os.environ:
        return
    time.time = lambda: _time() + offset()
    time.time_ns = lambda: _time_ns() + int(offset() * 1e9)
    for name, module in [*sys.modules.items()]:
        if name.split(".")[0] in ("worker", "webhooks"):
            _give_wrong_clock(module)


def offset() -> float:
    """What the file says now, looked up ten times a second."""
    global _looked, _offset
    if time.monotonic() - _looked > 0.1:
        _looked = time.monotonic()
        _offset = float(Path(os.environ["CHAOS_CLOCK"]).read_text() or 0)
    return _offset


class WrongDatetime(datetime.datetime):
    """datetime, off by as much."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        """The wrong time."""
        return cls.fromtimestamp(_time() + offset(), tz)


def _give_wrong_clock(module: Any) -> None:
    for name, value in [*vars(module).items()]:
        if value is datetime.datetime:
            setattr(module, name, WrongDatetime)
        elif value is _time:
            setattr(module, name, time.time)


if __name__ == "__main__":
    main = import_module(sys.argv[1])
    install()
    sys.exit(main.main())
