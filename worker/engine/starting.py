"""Starting claimed jobs in the record, whatever becomes of the record meanwhile."""

import asyncio
from collections.abc import Sequence

import structlog

from worker.engine.outages import OUTAGES, Patience
from worker.errors import RecordUnavailable
from worker.jobs.ledger import Claim, Ledger, NotStarted
from worker.jobs.model import StartedJob

log = structlog.get_logger(__name__)


class Starter:
    """Starts one queue's claims; a claim that cannot be started is answered, never raised for."""

    def __init__(
        self, queue: str, worker_id: str, kinds: Sequence[str], ledger: Ledger,
        stopping: asyncio.Event,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._worker_id = worker_id
        self._kinds = kinds
        self._ledger = ledger
        self._stopping = stopping

    async def start(self, claims: Sequence[Claim]) -> Sequence[StartedJob | NotStarted]:
        """One answer for each claim, in order."""
        try:
            return await self._patiently(claims)
        except RecordUnavailable as error:
            log.warning("start.failed", queue=self._queue, error=str(error))
            return [NotStarted(c, "unavailable") for c in claims]
        except Exception:  # a defect here must not hold the leases for good
            log.exception("start.crashed", queue=self._queue)
            return [NotStarted(c, "error") for c in claims]

    async def _patiently(self, claims: Sequence[Claim]) -> list[StartedJob | NotStarted]:
        """However long the record is away: with the same tokens a start counts once."""
        patience = Patience(self._stopping)
        while True:
            try:
                return await self._ledger.start(claims, self._worker_id, self._kinds)
            except OUTAGES as error:
                if self._stopping.is_set():
                    raise
                log.warning("start.delayed", queue=self._queue, error=str(error))
                await patience.wait()
