"""How long a failed job waits before its next attempt. Pure: chance comes in as a number."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Backoff:
    """A delay that grows with the failures so far. `base` and `cap` are seconds.

    `exponential` gives base, 2·base, 4·base …; `linear` base, 2·base, 3·base …; `fixed` base.
    `jitter` is the share of the delay by which it may be longer, 0 to 1: never shorter, so that
    a promised delay is a lower bound.
    """

    shape: Literal["exponential", "linear", "fixed"] = "exponential"
    base: float = 2.0
    cap: float = 3600.0
    jitter: float = 0.0

    def delay(self, failures: int, chance: float = 0.0) -> float:
        """Seconds to wait after the given number of failures (1 or more); `chance` is 0 to 1."""
        return min(self._grown(failures), self.cap) * (1.0 + self.jitter * chance)

    def _grown(self, failures: int) -> float:
        match self.shape:
            case "exponential":
                # Beyond 2^30 every cap is long reached, and a float would overflow at 2^1024.
                return self.base * 2.0 ** min(failures - 1, 30)
            case "linear":
                return self.base * failures
            case "fixed":
                return self.base
