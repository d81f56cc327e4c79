"""The drawing of the states and the code's table of moves are the same."""

import re
from pathlib import Path

import pytest

from worker.jobs.states import TERMINAL, TRANSITIONS, WAITING, State, may_become

PAGE = Path(__file__).parents[2] / "docs" / "state_machine.md"
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
STATE_ROW = re.compile(r"^\| `(\w+)` \| [^`|].*\| (yes|no) \|$", re.MULTILINE)


def drawn() -> list[tuple[State, State]]:
    return [(State(m[1]), State(m[2])) for m in ROW.finditer(PAGE.read_text(encoding="utf-8"))]


def test_every_drawn_move_is_legal_and_every_legal_move_is_drawn_once() -> None:
    legal = [(before, after) for before, afters in TRANSITIONS.items() for after in afters]
    assert sorted(drawn()) == sorted(legal)


def test_the_page_says_of_every_state_whether_it_has_ended() -> None:
    told = dict(STATE_ROW.findall(PAGE.read_text(encoding="utf-8")))
    assert told == {s.value: "yes" if s in TERMINAL else "no" for s in State}


def test_every_state_has_its_moves() -> None:
    assert set(TRANSITIONS) == set(State)


def test_waiting_jobs_may_start_and_ended_ones_may_not() -> None:
    assert {s for s in State if may_become(s, State.RUNNING)} == WAITING | {State.RUNNING}


@pytest.mark.parametrize("ended", sorted(TERMINAL))
def test_an_ended_job_stays_as_it_is_but_for_a_dead_one(ended: State) -> None:
    expected = {State.QUEUED} if ended is State.DEAD else set()
    assert {s for s in State if may_become(ended, s)} == expected
