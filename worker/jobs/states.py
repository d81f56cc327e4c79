"""The states of a job and every legal move between them, as drawn in docs/state_machine.md."""

from enum import StrEnum


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


WAITING = frozenset({State.QUEUED, State.RETRYING})
TERMINAL = frozenset({State.COMPLETED, State.DEAD, State.CANCELLED, State.SUPERSEDED})

# A snooze goes to `retrying`, a release to `queued`; neither counts a failure.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.SUPERSEDED}),
    State.RUNNING: frozenset(
        # running → running: the lease was lost, and another attempt took over.
        {State.COMPLETED, State.RETRYING, State.DEAD, State.CANCELLED, State.QUEUED, State.RUNNING}
    ),
    State.RETRYING: frozenset({State.RUNNING, State.CANCELLED, State.SUPERSEDED}),
    State.COMPLETED: frozenset(),
    State.DEAD: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset(),
    State.SUPERSEDED: frozenset(),
}


def may_become(before: State, after: State) -> bool:
    """Whether a job may move from one state to the other."""
    return after in TRANSITIONS[before]
