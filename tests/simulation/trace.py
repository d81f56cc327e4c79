"""What happened in a world, to be read when it went wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.loop import START_SECONDS


@dataclass(slots=True)
class Trace:
    """Notes in order of virtual time, and the first thing that must not have happened."""

    time: Callable[[], float]
    notes: list[tuple[float, str, str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note(self, who: str, what: str, **fields: Any) -> None:
        """Remember that somebody did something."""
        self.notes.append((self.time(), who, what, fields))

    def violated(self, text: str) -> None:
        """Something happened that never may."""
        self.problems.append(text)
        self.note("CHECK", text)

    def require(self, holds: bool, text: str) -> None:
        """Something that must hold now."""
        if not holds:
            self.violated(text)

    def lines(self) -> list[str]:
        """The notes as text: seconds, who, what, with what."""
        return [
            f"{time - START_SECONDS:9.3f}  {who:<10} {what:<28} "
            + " ".join(f"{name}={_short(value)}" for name, value in fields.items())
            for time, who, what, fields in self.notes
        ]


def _short(value: Any) -> str:
    # Ids of one world differ in their last digits.
    text = str(value)
    return f"…{text[-6:]}" if len(text) == 36 and text.count("-") == 4 else text[:160]
