"""Recording how attempts ended: many in one statement, and until the record has it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from worker.database.batcher import Gatherer
from worker.engine.attempts import Held
from worker.engine.decisions import Decision, Decisions
from worker.engine.outages import OUTAGES, Patience
from worker.errors import RecordUnavailable
from worker.jobs.ledger import Ledger
from worker.jobs.model import StartedJob
from worker.jobs.states import State

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 500


@dataclass(slots=True)
class Ending:
    """An attempt whose handler has ended, or was given up, after `seconds`.

    `started` is monotonic. The job is held until this is recorded.
    """

    job: StartedJob
    held: Held
    decision: Decision
    started: float
    seconds: float
    given_up: bool = False


# What became of each job: None when its attempt did not own it any more.
Follow = Callable[[Sequence[tuple[Ending, State | None]]], None]
# The record could not be reached before this process has to end.
LetGo = Callable[[Ending], None]


class Recorder:
    """Records the endings of one queue, and then has done what follows from them."""

    def __init__(
        self, ledger: Ledger, decisions: Decisions, stopping: asyncio.Event, follow: Follow,
        let_go: LetGo,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._decisions = decisions
        self._stopping = stopping
        self._follow = follow
        self._let_go = let_go
        self._endings = Gatherer(self._record, max_items=MOST_AT_ONCE, max_flushes=2)

    def put(self, ending: Ending) -> None:
        """Have this recorded, however long the record is away."""
        self._endings.put(ending)

    @property
    def tasks(self) -> "frozenset[asyncio.Task[None]]":
        """What is recording now."""
        return self._endings.tasks

    async def _record(self, endings: Sequence[Ending]) -> None:
        try:
            answers = await self._written(endings)
        except RecordUnavailable as error:
            self._give_up(endings, error)
            return
        except Exception:  # a defect here must be seen; the beat has the jobs run again
            log.exception("job.crashed", job_ids=[str(e.job.id) for e in endings[:10]])
            self._give_up(endings, None)
            return
        pairs = list(zip(endings, answers, strict=True))
        self._follow([(e, a) for e, a in pairs if not isinstance(a, Exception)])
        await self._bury([(e, a) for e, a in pairs if isinstance(a, Exception)])

    async def _written(self, endings: Sequence[Ending]) -> list[State | Exception | None]:
        """Write until the record has it: an outage of Postgres must not run a job twice."""
        finishes = [e.decision.finish for e in endings]
        patience: Patience | None = None
        while True:
            try:
                return await self._ledger.end(finishes)
            except OUTAGES as error:
                if self._stopping.is_set():
                    raise RecordUnavailable(f"not recorded before stopping: {error}") from error
                log.warning("finish.delayed", jobs=len(endings), error=str(error))
                patience = patience or Patience(self._stopping)
                await patience.wait()

    async def _bury(self, unstorable: Sequence[tuple[Ending, Exception]]) -> None:
        """An outcome that the record cannot hold buries its job."""
        for ending, error in unstorable:
            ending.decision = self._decisions.unstorable(ending.job, error)
        if unstorable:
            await self._record([e for e, _ in unstorable])

    def _give_up(self, endings: Sequence[Ending], error: RecordUnavailable | None) -> None:
        for ending in endings:
            if error is not None:
                log.error("job.unrecorded", job_id=str(ending.job.id), error=str(error))
            self._let_go(ending)
