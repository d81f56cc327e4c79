"""The values of a Redis database, typed and with their time to live."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Value = TypeVar("Value")


class ReplyError(Exception):
    """What Redis answers instead of a value, with its code in front."""


WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


class SortedSet:
    """Members by score, then by their bytes."""

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self._order: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        return iter(self._order)

    def put(self, member: bytes, score: float) -> None:
        """Add the member, or move it."""
        self.discard(member)
        self.scores[member] = score
        insort(self._order, (score, member))

    def discard(self, member: bytes) -> bool:
        """Remove the member; answers whether it was there."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        del self._order[bisect_left(self._order, (score, member))]
        return True

    def ranked(self) -> list[tuple[float, bytes]]:
        """All members in order, to be read only."""
        return self._order


class Stream:
    """Entries by id."""

    def __init__(self) -> None:
        self.entries: deque[tuple[tuple[int, int], list[bytes]]] = deque()
        self.last = (0, 0)

    def __len__(self) -> int:
        # A stream without entries is still a key.
        return len(self.entries) + 1


class Keyspace:
    """Keys with values of five types; a container that becomes empty is gone."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._values: dict[bytes, Any] = {}
        self._ends: dict[bytes, int] = {}

    def names(self) -> list[bytes]:
        """Every key that is there now, in order."""
        return sorted(k for k in [*self._values] if self.peek(k) is not None)

    def peek(self, key: bytes) -> Any:
        """The value of whatever type, or None."""
        end = self._ends.get(key)
        if end is not None and end <= self.now_ms():
            self.delete(key)
        return self._values.get(key)

    def get(self, key: bytes, kind: type[Value]) -> Value | None:
        """The value of that type, or None. Raises ReplyError when it has another."""
        value = self.peek(key)
        if value is not None and not isinstance(value, kind):
            raise ReplyError(WRONG_TYPE)
        return value

    def open(self, key: bytes, kind: type[Value]) -> Value:
        """The container of that type, made when it is missing."""
        value = self.get(key, kind)
        if value is None:
            value = self._values[key] = kind()
        return value

    def store(self, key: bytes, value: Any) -> None:
        """Replace whatever is there; the time to live ends."""
        self._ends.pop(key, None)
        self._values[key] = value

    def shrink(self, key: bytes) -> None:
        """Forget the container if it has become empty."""
        if not self._values.get(key, True):
            self.delete(key)

    def delete(self, key: bytes) -> bool:
        """Remove the key; answers whether it was there."""
        self._ends.pop(key, None)
        return self._values.pop(key, None) is not None

    def clear(self) -> None:
        """Remove everything."""
        self._values.clear()
        self._ends.clear()

    def expire_at(self, key: bytes, at_ms: int) -> bool:
        """Let the key live until then; answers whether it is there."""
        if self.peek(key) is None:
            return False
        self._ends[key] = at_ms
        return True

    def end_of(self, key: bytes) -> int | None:
        """When the key will be gone, in ms; None: never."""
        return self._ends.get(key)

    def persist(self, key: bytes) -> bool:
        """Let the key live for ever; answers whether it would not have."""
        return self.peek(key) is not None and self._ends.pop(key, None) is not None
