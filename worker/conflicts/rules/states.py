"""What a document's status means to the rules."""

import re

from worker.artifacts.model import Artifact, Status

TERMINAL = frozenset({"done", "cancelled", "deprecated", "moved", "superseded", "deferred"})
"""Nothing more is expected of work in one of these."""

_OVER = re.compile(r"\breview (?:complete|completed|done|passed|approved)\b", re.IGNORECASE)


def state(status: Status | None) -> str | None:
    """The understood status, None where there is none."""
    return status.normalized if status else None


def is_done(artifact: Artifact) -> bool:
    return state(artifact.status) == "done"


def is_open(status: Status | None) -> bool:
    """Whether the status is understood, and says that work is left."""
    word = state(status)
    over = status is not None and _OVER.search(status.raw) is not None
    return word is not None and word not in TERMINAL and not over
