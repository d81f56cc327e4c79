"""From a signed request to a committed row: verify, parse, plan, record; then ring."""

import asyncio
import gc
from collections.abc import Mapping, Sequence

from webhooks.bodies import LARGE, LARGE_AT_ONCE
from webhooks.github.deliveries import Delivery, Headers, parse
from webhooks.github.enrolled import Enrolled
from webhooks.github.notes import note
from webhooks.github.plan import Ignored, Plan, plan
from webhooks.github.signatures import HEADER, LEGACY_HEADER, verify
from webhooks.ringer import Ringer
from webhooks.superseder import Superseder
from worker.database.batcher import Batcher
from worker.errors import RecordUnavailable
from worker.jobs.deliveries import Acceptance, Arrival, Deliveries
from worker.jobs.ledger import UNSTORABLE
from worker.jobs.model import Project
from worker.jobs.projects import Projects
from worker.jobs.queues import Queue
from worker.tracing import Tracing

# GitHub gives up after ten seconds. A delivery may have to wait for one batch before its own.
RECORD_SECONDS = 4.0


class Intake:
    """Takes deliveries in. Many at once share their statements; each reads as if alone."""

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        projects: Projects,
        deliveries: Deliveries,
        ringer: Ringer,
        superseder: Superseder,
        queues: Mapping[str, Queue],
        tracing: Tracing,
    ) -> None:
        self._tracing = tracing
        self._secrets = secrets
        self._enrolled = Enrolled(projects)
        self._deliveries = deliveries
        self._ringer = ringer
        self._superseder = superseder
        self._queues = queues
        self._threads = asyncio.Semaphore(LARGE_AT_ONCE)
        # Three batches under way keep this process, Postgres and the senders busy all at once.
        self._batches: Batcher[Delivery, Acceptance] = Batcher(
            self._take_in, max_items=24, max_flushes=3, crowd=12, isolate=UNSTORABLE
        )

    async def receive(self, headers: Headers, body: bytes) -> tuple[Delivery, Acceptance]:
        """Take a delivery in. When this returns, it and its jobs are committed.

        Raises Unauthorized, InvalidInput or UnsupportedMedia for what is wrong with the request,
        and RecordUnavailable when Postgres is: then nothing was promised.
        """
        delivery = await self._understand(headers, body)
        return delivery, await self.record(delivery)

    def understand(self, headers: Headers, body: bytes) -> Delivery:
        """The checked delivery. Raises Unauthorized, InvalidInput or UnsupportedMedia."""
        signatures, legacy = headers.getall(HEADER, []), headers.getall(LEGACY_HEADER, [])
        verify(body, signatures, self._secrets, legacy)
        return parse(headers, body)

    def record(self, delivery: Delivery) -> asyncio.Future[Acceptance]:
        """What the record says of it, when it and its jobs are committed."""
        committed = self._batches.post(delivery)
        self._tracing.committing(delivery.traceparent, committed)
        return committed

    async def drain(self) -> None:
        """Wait until nothing is on its way to the record."""
        await self._batches.drain()
        await self._superseder.drain()

    async def _understand(self, headers: Headers, body: bytes) -> Delivery:
        if len(body) < LARGE:
            return self.understand(headers, body)
        async with self._threads:
            # A million new objects, all of them in use: looking for garbage among these takes long.
            gc.disable()
            try:
                return await asyncio.to_thread(self.understand, headers, body)
            finally:
                gc.enable()

    async def _take_in(self, deliveries: Sequence[Delivery]) -> list[Acceptance]:
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                projects = await self._enrolled.find(deliveries)
                arrivals = self._arrivals(deliveries, projects)
                acceptances = await self._deliveries.accept(arrivals)
        except TimeoutError:
            raise RecordUnavailable("Postgres takes too long; send it again later.") from None
        self._ringer.ring([ring for a in acceptances for ring in a.to_ring])
        self._supersede(arrivals, acceptances)
        note(deliveries, acceptances)
        await self._enrolled.learn(projects, deliveries)
        return acceptances

    def _arrivals(
        self, deliveries: Sequence[Delivery], projects: Sequence[Project | None]
    ) -> list[Arrival]:
        pairs = zip(deliveries, projects, strict=True)
        return [_arrival(d, p, plan(d, p, self._queues)) for d, p in pairs]

    def _supersede(self, arrivals: Sequence[Arrival], acceptances: Sequence[Acceptance]) -> None:
        pairs = zip(arrivals, acceptances, strict=True)
        waiting = {j.lane for arrival, a in pairs if a.to_ring for j in arrival.jobs}
        self._superseder.add(lane for lane in waiting if lane is not None)


def _arrival(delivery: Delivery, project: Project | None, planned: Plan) -> Arrival:
    ignored = planned.reason if isinstance(planned, Ignored) else None
    return Arrival(
        delivery_id=delivery.guid,
        event=delivery.event,
        body=delivery.body,
        headers=delivery.headers,
        action=delivery.action,
        repository=delivery.repository,
        repository_id=delivery.repository_id,
        project_id=project.id if project else None,
        ref=delivery.push.ref if delivery.push else None,
        traceparent=delivery.traceparent,
        ignored_reason=ignored,
        jobs=() if isinstance(planned, Ignored) else planned.jobs,
    )
