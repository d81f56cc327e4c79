"""The watchdog: silent while the loop lives, deadly when it is stuck."""

import asyncio
import os
import time

import pytest

from tests.support import eventually
from worker.engine.watchdog import EXIT_CODE, Watchdog


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The codes with which the process would have ended."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


async def test_a_stuck_loop_ends_the_process_with_every_threads_traceback(
    exits: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    watchdog = Watchdog(0.1, tick=0.02)
    turning = watchdog.start()
    time.sleep(0.4)  # noqa: ASYNC251
    watchdog.stop()
    await turning
    assert set(exits) == {EXIT_CODE}
    errors = capfd.readouterr().err
    assert "watchdog: the event loop was stuck for" in errors
    assert "in test_a_stuck_loop_ends_the_process" in errors


async def test_a_living_loop_is_left_alone_and_its_lag_is_known(exits: list[int]) -> None:
    watchdog = Watchdog(2.0, tick=0.02)
    turning = watchdog.start()
    await asyncio.sleep(0.1)
    assert exits == []
    time.sleep(0.06)  # noqa: ASYNC251
    await eventually(lambda: watchdog.lag > 0.03, timeout=1.0, interval=0)
    watchdog.stop()
    await turning
    assert exits == []
