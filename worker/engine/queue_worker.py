"""The worker of one queue: arq's worker with its claiming, starting and finishing replaced."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.worker import Function, Worker

from worker.engine.attempts import Cancelled, Held, LeaseLost, Released
from worker.engine.claims import NEVER, Claims, Limits, Settlement
from worker.engine.decisions import Ended
from worker.engine.executor import Executor
from worker.engine.outages import REDIS_AWAY, Patience
from worker.engine.slots import Slots
from worker.engine.starting import Starter
from worker.engine.wakeup import Wakeup
from worker.errors import RecordUnavailable
from worker.jobs.ledger import Claim, Ledger, NotStarted
from worker.jobs.model import StartedJob
from worker.jobs.presence import ToCancel
from worker.jobs.queue_controls import Control
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.metrics import JOBS_IN_PROGRESS

log = structlog.get_logger(__name__)

# How long an id that did not start is left alone; any other reason is for good.
GIVEN_BACK_MS = {
    "unknown_kind": 5_000,  # until a version that knows it comes by
    "early": 250,
    "alive": 1_000,  # its worker renews the lease, or is found silent soon
    "unavailable": 0,
    "error": 5_000,
}
# How long after its time limit a job that ignores its cancellation is given up.
OVERRUN_GRACE_SECONDS = 30.0
# The same of a job that somebody cancelled: people wait for it.
CANCEL_GRACE_SECONDS = 5.0


class QueueWorker(Worker):
    """Claims, starts and finishes one queue's jobs in batches; each attempt is its own task.

    It claims nothing before it was told for the first time what to obey.
    """

    def __init__(
        self,
        queue: Queue,
        *,
        worker_id: str,
        registry: Registry,
        ledger: Ledger,
        claims: Claims,
        executor: Executor,
        wakeup: Wakeup,
        redis_pool: ArqRedis,
    ) -> None:
        kinds = [k for k in registry.kinds() if registry.get(k).queue == queue.name]
        super().__init__(
            functions=[_function(kind) for kind in kinds],
            queue_name=f"arq:queue:{queue.name}",
            redis_pool=redis_pool,
            max_jobs=queue.concurrency,
            keep_result=0,
            handle_signals=False,
        )
        self.queue = queue
        self.slots = Slots()
        self._control: Control | None = None
        self._claims = claims
        self._executor = executor
        executor.on_end = self._on_end
        self._wakeup = wakeup
        self._stopping = asyncio.Event()
        self._starter = Starter(queue.name, worker_id, kinds, ledger, self._stopping)
        self._background: set[asyncio.Task[Any]] = set()
        JOBS_IN_PROGRESS.labels(queue.name).set_function(lambda: len(self.held))

    @property
    def held(self) -> dict[UUID, Held]:
        """The leases of this worker, by job id."""
        return self.slots.held

    async def main(self) -> None:
        """Claim whenever there is a free slot and a reason to look, until told to stop."""
        patience = Patience(self._stopping)
        next_due_ms: float | None = 0.0
        while not self._stopping.is_set():
            try:
                await self._wait_until_allowed()
                if next_due_ms != 0.0:
                    await self._wakeup.wait(self.queue.name, next_due_ms)
                next_due_ms = await self._claim_and_begin()
                patience.reset()
            except REDIS_AWAY as error:
                log.warning("claim.failed", queue=self.queue.name, error=str(error))
                await patience.wait()

    async def stop(self, seconds: float) -> None:
        """Claim no more; let running jobs end for up to `seconds`; give the rest back."""
        self._stopping.set()
        self._look_again()
        await self._wait_for_tasks(seconds)
        for held in self.held.values():
            held.interruption.interrupt(Released("the worker was asked to stop"))
        await self._wait_for_tasks(5.0)
        for job_id, held in self.held.items():
            # The others wait for the record, and are told of as unrecorded.
            if held.interruption.handling:
                log.error("job.ignored_stop", queue=self.queue.name, job_id=str(job_id))
        await self._claims.drain()

    async def recorded(self) -> None:
        """Wait until nothing is on its way to the record."""
        while tasks := self._executor.recording:
            await asyncio.wait(tasks)

    def obey(self, control: Control) -> None:
        """From now on claim as operators want; what runs goes on."""
        if control == self._control:
            return
        self._control = control
        effective = control.applied_to(self.queue)
        self.max_jobs = effective.concurrency
        self._claims.limits = Limits.of(effective)
        self._look_again()

    def cancel(self, wanted: ToCancel) -> None:
        """Interrupt an attempt that somebody wants to end. Nothing happens at the second time."""
        held = self.held.get(wanted.job_id)
        if held is not None and (held.job is None or held.job.attempt == wanted.attempt):
            held.interruption.interrupt(Cancelled(wanted.reason))
            held.deadline = min(held.deadline, time.monotonic() + CANCEL_GRACE_SECONDS)

    def give_up_overrun(self) -> None:
        """Part with jobs that ran on long past their end; their handlers keep their slots."""
        for held in self.slots.part_with_overrun(time.monotonic()):
            self._spawn(self._give_up(held))

    def lose(self, job_id: UUID) -> None:
        """Another worker owns the job now: stop working on it."""
        held = self.held.get(job_id)
        if held is not None:
            held.interruption.interrupt(LeaseLost())

    @property
    def _free(self) -> int:
        return self.max_jobs - self.slots.taken

    @property
    def _may_claim(self) -> bool:
        return self._free > 0 and self._control is not None and not self._control.paused

    async def _wait_until_allowed(self) -> None:
        while not self._may_claim and not self._stopping.is_set():
            self._wakeup.busy(self.queue.name)
            self.slots.changed.clear()
            await self.slots.changed.wait()

    def _look_again(self) -> None:
        self.slots.changed.set()
        self._wakeup.signal(self.queue.name)

    async def _claim_and_begin(self) -> float | None:
        """Claim once; answers when to look again: 0 at once, else ms until the next id is due."""
        if self._stopping.is_set() or not self._may_claim:
            return None
        claimed = await self._claims.claim(self._free)
        fresh = [c for c in claimed.claims if self.slots.take(c)]
        if fresh:
            self._spawn(self._begin(fresh))
        return None if claimed.next_due_ms is None else max(claimed.next_due_ms, 0.0)

    async def _begin(self, claims: Sequence[Claim]) -> None:
        for answer in await self._starter.start(claims):
            if isinstance(answer, NotStarted):
                self._turn_away(answer)
            else:
                self._launch(answer)

    def _launch(self, job: StartedJob) -> None:
        held, now = self.held[job.id], time.monotonic()
        held.job, held.started = job, now
        held.deadline = min(held.deadline, now + self.queue.timeout + OVERRUN_GRACE_SECONDS)
        if self.queue.sla is not None:
            held.sla_at = now + self.queue.sla
        held.task = self.loop.create_task(self._run(job, held))

    async def _run(self, job: StartedJob, held: Held) -> None:
        try:
            await self._executor.run(job, held)
        except BaseException as error:  # noqa: BLE001  whatever it was, the slot is free
            self.slots.let_go(job.id, held)
            self._complain(job, error)

    async def _give_up(self, held: Held) -> None:
        assert held.job is not None
        try:
            await self._executor.give_up(held.job, held, time.monotonic() - held.started)
        except Exception as error:  # noqa: BLE001
            self._complain(held.job, error)

    def _complain(self, job: StartedJob, error: BaseException) -> None:
        """Of an end that cannot be recorded; the beat has the job run again."""
        if isinstance(error, RecordUnavailable):
            log.error("job.unrecorded", job_id=str(job.id), error=str(error))
        elif isinstance(error, Exception):  # a defect here must be seen
            log.error("job.crashed", job_id=str(job.id), exc_info=error)
        else:
            raise error

    def _on_end(self, job: StartedJob, held: Held, ended: Ended | None, goes_on: bool) -> None:
        if not goes_on:
            self.slots.let_go(job.id, held)
        if ended is not None:
            self._count(ended)
            self._claims.settle(Settlement(str(job.id), held.token, ended.delay_ms))

    def _turn_away(self, answer: NotStarted) -> None:
        """Give back an id that did not start; for good only if the record does not wait."""
        write = {"poison": log.error, "cancelled": log.warning}.get(answer.reason, log.debug)
        write("claim.turned_away", queue=self.queue.name, job_id=str(answer.claim.id),
              reason=answer.reason)  # fmt: skip
        held, delay = self.held[answer.claim.id], GIVEN_BACK_MS.get(answer.reason, NEVER)
        self.slots.let_go(answer.claim.id, held)
        self._claims.settle(Settlement(str(answer.claim.id), held.token, delay))

    def _count(self, ended: Ended) -> None:
        self.jobs_complete += ended.status == "completed"
        self.jobs_failed += ended.status == "dead"
        self.jobs_retried += ended.status == "retrying"

    def _spawn(self, coroutine: Any) -> None:
        task = self.loop.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _wait_for_tasks(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self.held or self._background:
                    tasks = (h.task for h in self.held.values())
                    running = {t for t in tasks if t and not t.done()} | self._background
                    running |= self._executor.recording
                    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return


def _function(kind: str) -> Function:
    async def run(ctx: dict[Any, Any]) -> None:
        raise NotImplementedError("jobs run through the ledger, not through arq's own loop")

    return Function(kind, run, None, None, None, None)
