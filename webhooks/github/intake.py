"""From a signed request to a committed row: verify, parse, plan, record; then ring."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
import structlog

from webhooks.bodies import LARGE, LARGE_AT_ONCE
from webhooks.github.deliveries import Delivery, Headers, parse
from webhooks.github.plan import Ignored, Plan, choose_project, plan
from webhooks.github.signatures import HEADER, LEGACY_HEADER, verify
from webhooks.ringer import Ringer
from worker.database.batcher import Batcher
from worker.errors import RecordUnavailable
from worker.jobs.deliveries import Acceptance, Arrival, Deliveries
from worker.jobs.model import Project
from worker.jobs.projects import Projects
from worker.jobs.queues import Queue
from worker.metrics import JOBS_ENQUEUED

log = structlog.get_logger(__name__)

# GitHub gives up after ten seconds; an answer is due before that, even when Postgres hangs.
RECORD_SECONDS = 8.0
LEARN_SECONDS = 2.0

Learned = tuple[UUID, int | None, str | None]


class Intake:
    """Takes deliveries in. Many at once share their statements; each reads as if alone."""

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        projects: Projects,
        deliveries: Deliveries,
        ringer: Ringer,
        queues: Mapping[str, Queue],
    ) -> None:
        self._secrets = secrets
        self._projects = projects
        self._deliveries = deliveries
        self._ringer = ringer
        self._queues = queues
        self._threads = asyncio.Semaphore(LARGE_AT_ONCE)
        self._lookups: Batcher[Delivery, Project | None] = Batcher(
            self._find_projects, max_items=100, max_flushes=2
        )
        self._lessons: Batcher[Learned, None] = Batcher(
            self._learn_many, isolate=(asyncpg.UniqueViolationError,)
        )

    async def receive(self, headers: Headers, body: bytes) -> tuple[Delivery, Acceptance]:
        """Take a delivery in. When this returns, it and its jobs are committed.

        Raises Unauthorized, InvalidInput or UnsupportedMedia for what is wrong with the request,
        and RecordUnavailable when Postgres is: then nothing was promised.
        """
        delivery = await self._understand(headers, body)
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                project = await self._lookups.submit(delivery)
                acceptance = await self._record(delivery, project)
        except TimeoutError:
            raise RecordUnavailable("Postgres takes too long; send it again later.") from None
        self._follow_up(acceptance)
        if project is not None:
            await self._learn(project, delivery)
        return delivery, acceptance

    async def drain(self) -> None:
        """Wait until nothing is on its way to the record."""
        for batches in (self._lookups, self._deliveries, self._lessons):
            await batches.drain()

    async def _understand(self, headers: Headers, body: bytes) -> Delivery:
        if len(body) < LARGE:
            return self._checked(headers, body)
        async with self._threads:
            return await asyncio.to_thread(self._checked, headers, body)

    def _checked(self, headers: Headers, body: bytes) -> Delivery:
        signatures, legacy = headers.getall(HEADER, []), headers.getall(LEGACY_HEADER, [])
        verify(body, signatures, self._secrets, legacy)
        return parse(headers, body)

    async def _record(self, delivery: Delivery, project: Project | None) -> Acceptance:
        planned = plan(delivery, project, self._queues)
        return await self._deliveries.accept(_arrival(delivery, project, planned))

    def _follow_up(self, acceptance: Acceptance) -> None:
        self._ringer.ring(acceptance.to_ring)
        if not acceptance.duplicate:
            for ring in acceptance.to_ring:
                JOBS_ENQUEUED.labels(ring.queue).inc()

    async def _find_projects(self, deliveries: Sequence[Delivery]) -> list[Project | None]:
        names = {d.repository for d in deliveries if d.repository}
        ids = {d.repository_id for d in deliveries if d.repository_id}
        found = await self._projects.matching(list(names), list(ids)) if names else []
        by_id = {p.repository_id: p for p in found if p.repository_id}
        by_name = {p.repository.lower(): p for p in found}
        return [
            choose_project(
                d, by_id.get(d.repository_id or 0), by_name.get((d.repository or "").lower())
            )
            for d in deliveries
        ]

    async def _learn(self, project: Project, delivery: Delivery) -> None:
        """Keep GitHub's repository id and default branch; the delivery stands without them."""
        known = (project.repository_id, project.default_branch)
        told = (delivery.repository_id, delivery.default_branch or project.default_branch)
        if known == told:
            return
        try:
            async with asyncio.timeout(LEARN_SECONDS):
                await self._lessons.submit((project.id, *told))
        except (RecordUnavailable, TimeoutError, asyncpg.UniqueViolationError) as error:
            log.warning("project.not_updated", project_id=project.id, error=str(error))

    async def _learn_many(self, lessons: Sequence[Learned]) -> list[None]:
        latest = {lesson[0]: lesson for lesson in lessons}
        await self._projects.learn(list(latest.values()))
        return [None] * len(lessons)


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
        ignored_reason=ignored,
        jobs=() if isinstance(planned, Ignored) else planned.jobs,
    )
