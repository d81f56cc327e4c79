"""Who may send now, in this process: so that endpoints that hang take few of its slots."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

from worker.outgoing.outcomes import Sent

# For how long an endpoint's first request is waited for before the next ones are put off.
PATIENCE_SECONDS = 1.0
_PUT_OFF = (5.0, 60.0)
# To put a job off costs as much as to run it: a crowd of them must not crowd out the others.
_BETWEEN_SECONDS = 0.1
_MOST_KNOWN = 10_000


class NotNow(Exception):
    """There is no place at the moment, but perhaps in so many seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


class Lane:
    """One endpoint's requests: one at a time until it has been seen to answer, then any number."""

    def __init__(self) -> None:
        self._answers = False
        self._begun: list[float] = []
        self._changed = asyncio.Event()
        self._next_put_off = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._begun

    def saw(self, sent: Sent) -> None:
        """Judge it by what came of a request: what fails at once takes no slot from anybody."""
        soon = sent.duration_ms < PATIENCE_SECONDS * 1000
        self._answers = sent.status is not None or soon

    async def enter(self) -> float:
        """Begin; answers when that is. Raises NotNow where another one hangs."""
        loop = asyncio.get_running_loop()
        while self._begun and not self._answers:
            now = loop.time()
            left = min(self._begun) + PATIENCE_SECONDS - now
            if left <= 0 and self._next_put_off <= now:
                self._next_put_off = now + _BETWEEN_SECONDS
                seconds = random.uniform(*_PUT_OFF)  # noqa: S311
                raise NotNow("the endpoint has not answered yet", seconds)
            await _wait(self._changed, max(left, self._next_put_off - now))
        begun = loop.time()
        self._begun.append(begun)
        return begun

    def leave(self, begun: float) -> None:
        """End what began then."""
        self._begun.remove(begun)
        self._changed.set()
        self._changed = asyncio.Event()


class Pace:
    """Gives turns. At most half of the slots are for retries: the rest stays for first attempts."""

    def __init__(self, slots: int) -> None:
        self._free = max(1, slots // 2)
        self._lanes: dict[UUID, Lane] = {}

    @asynccontextmanager
    async def turn(self, endpoint_id: UUID, failures: int) -> AsyncIterator[Lane]:
        """While a job with so many failures sends to the endpoint. Raises NotNow."""
        lane = self._lane(endpoint_id)
        with self._room(failures):
            begun = await lane.enter()
            try:
                yield lane
            finally:
                lane.leave(begun)

    @contextmanager
    def _room(self, failures: int) -> Iterator[None]:
        needed = 1 if failures else 0
        if needed > self._free:
            raise NotNow("as many retries as may be are under way", PATIENCE_SECONDS)
        self._free -= needed
        try:
            yield
        finally:
            self._free += needed

    def _lane(self, endpoint_id: UUID) -> Lane:
        if len(self._lanes) > _MOST_KNOWN:
            self._lanes = {i: lane for i, lane in self._lanes.items() if not lane.is_idle}
        return self._lanes.setdefault(endpoint_id, Lane())


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
