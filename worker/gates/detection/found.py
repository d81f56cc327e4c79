"""What looking for a check can come to."""

from dataclasses import dataclass

from worker.gates.model import Command


@dataclass(frozen=True)
class Found:
    """A command that can be run."""

    command: Command


@dataclass(frozen=True)
class Hollow:
    """A command that says nothing, however the tree is."""

    text: str
    source: str
    reason: str


@dataclass(frozen=True)
class Missing:
    """Nothing to run; `reason` is what stood in the way, where there is more to say."""

    reason: str = ""


@dataclass(frozen=True)
class Malformed:
    """The project's own configuration is wrong."""

    source: str
    reason: str


Detection = Found | Hollow | Missing | Malformed
