"""The bar is for people who wait; nobody else sees it."""

import io
import sys

import pytest

from worker.cli import progress
from worker.cli.progress import progress_bar
from worker.conflicts.local_parsing import Progress


class Screen(io.StringIO):
    """A terminal that remembers what was written."""

    def isatty(self) -> bool:
        return True


def shown(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch, patience: float) -> str:
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    with progress_bar("documents") as move:
        move(1, 4)
        move(4, 4)
    return screen.getvalue()


def test_long_work_is_shown_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(Screen(), monkeypatch, 0.0)
    assert "1 of 4 documents" in told
    assert "█" * progress.WIDTH in told
    assert told.endswith("\r\033[K")


def test_short_work_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(Screen(), monkeypatch, 60.0) == ""


def test_what_is_no_terminal_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(io.StringIO(), monkeypatch, 0.0) == ""


def test_the_bar_goes_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(RuntimeError), progress_bar("documents") as move:
        _fail_after(move)
    assert screen.getvalue().endswith("\r\033[K")


def _fail_after(move: Progress) -> None:
    move(1, 2)
    raise RuntimeError
