"""The pulse of a worker: every lease/3 it renews its leases and its row, and compares notes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from worker.engine.claims import LEASE_MS, Claims
from worker.engine.outages import OUTAGES, sleep_unless
from worker.engine.queue_worker import QueueWorker
from worker.jobs.ledger import Ledger
from worker.jobs.model import Attempt
from worker.jobs.presence import Presence
from worker.jobs.ring import Bell, Ring
from worker.jobs.states import State

log = structlog.get_logger(__name__)

BEAT_SECONDS = LEASE_MS / 3000


class Beat:
    """Keeps this worker's leases and its row in `workers` alive.

    Twice in a row is what it takes to act on a difference between memory and record: a start or a
    finish may be on its way.
    """

    def __init__(
        self,
        presence: Presence,
        ledger: Ledger,
        bell: Bell,
        worker_id: str,
        workers: Mapping[str, QueueWorker],
        claims: Mapping[str, Claims],
    ) -> None:
        self._presence = presence
        self._ledger = ledger
        self._bell = bell
        self._id = worker_id
        self._workers = workers
        self._claims = claims
        self._only_in_record: set[tuple[UUID, int]] = set()
        self._only_in_memory: set[tuple[UUID, int]] = set()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Beat until told to stop. A side that hangs must not keep the other one waiting."""
        async with asyncio.TaskGroup() as sides:
            sides.create_task(self._repeat(self._renew_leases))
            sides.create_task(self._repeat(self._renew_row))

    async def once(self) -> None:
        """One beat. An outage of either side leaves the other one served."""
        await asyncio.gather(self._renew_leases(), self._renew_row())

    async def _repeat(self, side: Callable[[], Awaitable[None]]) -> None:
        while not self.stopping.is_set():
            await side()
            await sleep_unless(self.stopping, BEAT_SECONDS)

    async def stamp_heartbeat(self) -> None:
        """Record the time of the 30-second heartbeat."""
        try:
            await self._presence.stamp_heartbeat()
        except OUTAGES as error:
            log.warning("worker.heartbeat_not_recorded", error=str(error))

    async def leave(self) -> None:
        """Take this worker off the list."""
        try:
            await self._presence.leave()
        except OUTAGES as error:
            log.warning("worker.farewell_failed", error=str(error))

    async def _renew_leases(self) -> None:
        for queue, worker in self._workers.items():
            leases = worker.slots.leases()
            if not leases:
                continue
            try:
                if lost := await self._claims[queue].renew(leases):
                    await self._ask_the_record(queue, lost)
            except OUTAGES as error:
                log.warning("lease.renewal_failed", queue=queue, error=str(error))

    async def _ask_the_record(self, queue: str, lost: Sequence[UUID]) -> None:
        """Somebody else has these leases: stop what the record has given them, too."""
        ours = {(r["id"], r["attempt"]) for r in await self._presence.held()}
        for job_id in lost:
            held = self._workers[queue].held.get(job_id)
            if held is not None and held.job and (job_id, held.job.attempt) not in ours:
                log.warning("lease.lost", queue=queue, job_id=str(job_id))
                self._workers[queue].lose(job_id)

    async def _renew_row(self) -> None:
        running = sum(len(w.held) for w in self._workers.values())
        try:
            await self._presence.renew(self._workers, running)
            await self._compare(await self._presence.held())
        except OUTAGES as error:
            log.warning("worker.beat_failed", error=str(error))

    async def _compare(self, rows: Sequence[Any]) -> None:
        recorded = {(r["id"], r["attempt"]): r for r in rows}
        here = {(h.job.id, h.job.attempt) for w in self._workers.values()
                for h in w.held.values() if h.job is not None}  # fmt: skip
        held = {i for w in self._workers.values() for i in w.held}
        astray = {k for k in recorded if k[0] not in held}
        for key in astray & self._only_in_record:
            await self._give_back(recorded[key])
        lost = here - recorded.keys()
        for job_id, _ in lost & self._only_in_memory:
            self._lose(job_id)
        self._only_in_record, self._only_in_memory = astray, lost

    async def _give_back(self, row: Any) -> None:
        """A job that the record says we run, and we do not: a start or an end went wrong."""
        log.warning("job.astray", job_id=str(row["id"]))
        attempt = Attempt(row["id"], row["attempt"], self._id)
        if await self._ledger.release(attempt, "its worker lost track of it") is State.QUEUED:
            await self._bell.ring([Ring.of_row(row)])

    def _lose(self, job_id: UUID) -> None:
        log.warning("job.taken_over", job_id=str(job_id))
        for worker in self._workers.values():
            worker.lose(job_id)
