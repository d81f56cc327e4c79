"""Who submits jobs and steers them: it asks again until it gets an answer, as people do."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from tests.simulation.host import Machine, Surroundings
from tests.simulation.loop import EPOCH_SECONDS
from tests.simulation.plan import QUEUES, Order, PlannedJob
from tests.simulation.trace import Trace
from worker.errors import Conflict, NotFound, RecordUnavailable
from worker.jobs.cancelling import Cancelling
from worker.jobs.deliveries import Arrival, Deliveries
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.queue_controls import QueueControls
from worker.jobs.ring import Bell, Ring
from worker.jobs.states import State
from worker.jobs.superseding import Superseding

AWAY = (RecordUnavailable, RedisError, OSError, TimeoutError)


class Client(Machine):
    """A web service in miniature; what it was promised is remembered."""

    def __init__(
        self,
        around: Surroundings,
        trace: Trace,
        submitted: dict[UUID, PlannedJob],
        project_id: UUID,
    ) -> None:
        super().__init__("client", around)
        self.acknowledged: set[UUID] = set()
        self.cancelled: dict[UUID, State] = {}
        self.retried: set[UUID] = set()
        self.busy = 0
        self._all_go_on = False
        self._steering: list[asyncio.Task[None]] = []
        self.on_cancel: Callable[[UUID], None] = lambda _: None
        self._trace = trace
        self._submitted = submitted
        self._project_id = project_id
        self._ledger = Ledger(self.pool)
        self._deliveries = Deliveries(self.pool)
        self._bell = Bell(self.redis)
        self._cancelling = Cancelling(self.pool, self.redis)
        self._superseding = Superseding(self.pool, QUEUES, self._cancelling)
        self._controls = QueueControls(self.pool, self.redis, QUEUES)

    def submit(self, planned: PlannedJob) -> None:
        """Begin to submit a job, and to do to it later what the plan says."""
        self.process.begin(self._counted(self._submit(planned)))

    def steer(self, order: Order) -> None:
        """Begin to do something to a queue, unless all is to go on now."""
        if self._all_go_on:
            return
        task = self.process.begin(self._counted(self._persist(lambda: self._steer(order))))
        self._steering.append(task)

    async def let_all_go_on(self) -> None:
        """Resume every queue, after all that was to be done to it, so that all comes to an end."""
        self._all_go_on = True
        await asyncio.gather(*self._steering)
        for queue in QUEUES:
            await self._persist(partial(self._steer, Order(0.0, queue, "resume")))

    async def _steer(self, order: Order) -> None:
        controls = self._controls
        if order.what == "pause":
            await controls.pause(order.queue, "for a while")
        elif order.what == "resume":
            await controls.resume(order.queue)
        else:
            await controls.resize(order.queue, concurrency=1, per_organisation=1)
        self._trace.note("client", order.what, queue=order.queue)

    async def _counted(self, work: Awaitable[None]) -> None:
        self.busy += 1
        try:
            await work
        finally:
            self.busy -= 1

    async def _submit(self, planned: PlannedJob) -> None:
        job = self._new_job(planned)
        self._submitted[job.id] = planned
        await self._persist(lambda: self._accept(job, planned))
        self.acknowledged.add(job.id)
        self._trace.note("client", "job acknowledged", job=job.id, acts=",".join(planned.acts))
        if planned.lane is not None:
            await self._persist(partial(self._superseding.settle, [planned.lane]))
        if planned.rung:
            await self._try_to_ring([Ring.of(job)])
        if planned.cancel_after is not None:
            await asyncio.sleep(planned.cancel_after)
            await self._cancel(job.id)
        if planned.retry_after is not None:
            await asyncio.sleep(planned.retry_after)
            await self._retry(job.id)

    def _new_job(self, planned: PlannedJob) -> NewJob:
        job_id = new_id()
        now = datetime.fromtimestamp(EPOCH_SECONDS + self.around.loop.time(), UTC)
        return NewJob(
            planned.queue,
            planned.kind,
            planned.payload,
            max_attempts=3,
            id=job_id,
            org_id=planned.tenant,
            priority=planned.priority,
            dedupe_key=str(job_id),
            run_at=now + timedelta(seconds=planned.delay) if planned.delay else None,
            delivery_id=f"delivery {job_id}" if planned.by_delivery else None,
            concurrency_key=planned.key,
            lane=planned.lane,
            lane_order=job_id.int >> 64 if planned.lane else None,
            project_id=self._project_id,
        )

    async def _accept(self, job: NewJob, planned: PlannedJob) -> None:
        if job.delivery_id is None:
            await self._ledger.add([job])
        else:
            await self._deliveries.accept([Arrival(job.delivery_id, "push", b"", {}, jobs=(job,))])

    async def _cancel(self, job_id: UUID) -> None:
        async def cancel() -> None:
            try:
                self.cancelled[job_id] = await self._cancelling.cancel(job_id, "no longer wanted")
                self._trace.note("client", "cancelled", job=job_id, was=self.cancelled[job_id])
                self.on_cancel(job_id)
            except (Conflict, NotFound) as error:
                self._trace.note("client", "not cancelled", job=job_id, because=error)

        await self._persist(cancel)

    async def _retry(self, job_id: UUID) -> None:
        # Its history may begin anew even if nobody is told so.
        self.retried.add(job_id)

        async def retry() -> None:
            rows: Any = await self._ledger.retry_dead([job_id])
            if rows:
                await self._try_to_ring([Ring.of_row(r) for r in rows])

        await self._persist(retry)

    async def _try_to_ring(self, rings: list[Ring]) -> None:
        try:
            await self._bell.ring(rings)
        except AWAY as error:
            self._trace.note("client", "ring failed", error=error)

    async def _persist(self, ask: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await ask()
                return
            except AWAY:
                await asyncio.sleep(1.0)
