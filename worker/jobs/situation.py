"""A job as the record has it, with all that decides when it may run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from worker.jobs.queue_controls import Control
from worker.jobs.queues import Queue
from worker.jobs.states import TERMINAL, State


@dataclass(frozen=True, slots=True)
class Situation:
    """What the record knows of a job's chances: rows of waiting.sql, and its queue as it holds now.

    `policy` and `control` are None for a queue that this version does not have.
    """

    job: asyncpg.Record
    policy: Queue | None
    control: Control | None
    serving: Sequence[asyncpg.Record]
    holders: Mapping[UUID, asyncpg.Record] = field(default_factory=dict)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a worker, be it that the one it had was lost."""
        return bool(self.job["lost"]) or self.job["state"] not in (*TERMINAL, State.RUNNING)

    @property
    def is_due(self) -> bool:
        """Whether its time has come."""
        return bool(self.job["lost"]) or self.job["due_in"] <= 0

    @property
    def is_paused(self) -> bool:
        """Whether nothing of its queue may start."""
        return self.control is not None and self.control.paused

    @property
    def able(self) -> list[asyncpg.Record]:
        """The live workers that could run it; one that does not tell its kinds counts as able."""
        kind = self.job["kind"]
        return [w for w in self.serving if w["kinds"] is None or kind in w["kinds"]]

    @property
    def free_slots(self) -> int:
        """How many more jobs of the queue its workers could run."""
        most = self.policy.concurrency if self.policy else 0
        return sum(max(0, most - w["running"]) for w in self.able)

    def after(self, seconds: float) -> datetime:
        """That moment, by the record's clock."""
        moment: datetime = self.job["now"] + timedelta(seconds=seconds)
        return moment
