"""What was measured: values of rounds, their median, and the limit that they are held against."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limit:
    """What a median has to reach: at most or at least `value`; `words` is how the table says it."""

    words: str
    value: float
    at_least: bool = False

    def holds(self, median: float) -> bool:
        """Whether it is reached."""
        return median >= self.value if self.at_least else median <= self.value


@dataclass(frozen=True)
class Result:
    """One line of a table: a value for each round, and why there is none."""

    name: str
    unit: str
    values: Sequence[float]
    limit: Limit | None = None
    details: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def median(self) -> float:
        """The middle one, or zero when nothing was measured."""
        return statistics.median(self.values or [0.0])

    @property
    def holds(self) -> bool | None:
        """Whether the limit is reached; None when there is none."""
        return self.limit.holds(self.median) if self.limit and self.values else None

    def document(self) -> dict[str, Any]:
        """What JSON can hold of it, for `of`."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Result":
        """Out of a document."""
        limit = document["limit"]
        return cls(**document | {"limit": Limit(**limit) if limit else None})


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many per cent do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
