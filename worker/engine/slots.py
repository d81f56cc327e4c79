"""What one queue's worker holds: leases, the attempts that run under them, and their slots."""

import asyncio
from uuid import UUID

from worker.engine.attempts import Held
from worker.jobs.ledger import Claim


class Slots:
    """Leases by job id, and the tasks of handlers that were given up and go on nevertheless.

    `changed` is set whenever a slot may have become free.
    """

    def __init__(self) -> None:
        self.held: dict[UUID, Held] = {}
        self.changed = asyncio.Event()
        self._stuck: set[asyncio.Task[None] | None] = set()

    @property
    def taken(self) -> int:
        """How many slots are in use."""
        return len(self.held) + len(self._stuck)

    def leases(self) -> dict[UUID, str]:
        """The leases to be extended: id → token."""
        return {i: h.token for i, h in self.held.items()}

    def take(self, claim: Claim) -> bool:
        """Hold a lease; False when its job runs here already: the lease was lost for a moment."""
        held = self.held.get(claim.id)
        if held is not None:
            held.token = claim.token
            return False
        self.held[claim.id] = Held(claim.token)
        return True

    def let_go(self, job_id: UUID, held: Held) -> None:
        """The slot is free, be it of a lease or of a handler that was given up."""
        if self.held.get(job_id) is held:
            del self.held[job_id]
        else:
            self._stuck.discard(held.task)
        self.changed.set()

    def part_with_overrun(self, now: float) -> list[Held]:
        """Stop holding what should have ended by now, and does not; the handlers keep their slots.

        `now` is monotonic time in seconds.
        """
        overrun = {i: h for i, h in self.held.items() if h.deadline <= now and h.handling}
        for job_id, held in overrun.items():
            self._stuck.add(held.task)
            del self.held[job_id]
        return [*overrun.values()]

    def past_sla(self, now: float) -> list[Held]:
        """Attempts that have just gone past their queue's SLA; each is answered once."""
        late = [h for h in self.held.values() if h.sla_at <= now]
        for held in late:
            held.sla_at = float("inf")
        return late
