"""From a signed request to a committed row: verify, parse, plan, record; then ring."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

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
from worker.jobs.ledger import UNSTORABLE
from worker.jobs.model import Project
from worker.jobs.projects import Projects
from worker.jobs.queues import Queue
from worker.metrics import JOBS_ENQUEUED

log = structlog.get_logger(__name__)

# GitHub gives up after ten seconds. A delivery may have to wait for one batch before its own.
RECORD_SECONDS = 4.0
LEARN_SECONDS = 2.0


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
        self._batches: Batcher[Delivery, Acceptance] = Batcher(
            self._take_in, max_items=100, max_flushes=2, isolate=UNSTORABLE
        )

    async def receive(self, headers: Headers, body: bytes) -> tuple[Delivery, Acceptance]:
        """Take a delivery in. When this returns, it and its jobs are committed.

        Raises Unauthorized, InvalidInput or UnsupportedMedia for what is wrong with the request,
        and RecordUnavailable when Postgres is: then nothing was promised.
        """
        delivery = await self._understand(headers, body)
        return delivery, await self._batches.submit(delivery)

    async def drain(self) -> None:
        """Wait until nothing is on its way to the record."""
        await self._batches.drain()

    async def _understand(self, headers: Headers, body: bytes) -> Delivery:
        if len(body) < LARGE:
            return self._checked(headers, body)
        async with self._threads:
            return await asyncio.to_thread(self._checked, headers, body)

    def _checked(self, headers: Headers, body: bytes) -> Delivery:
        signatures, legacy = headers.getall(HEADER, []), headers.getall(LEGACY_HEADER, [])
        verify(body, signatures, self._secrets, legacy)
        return parse(headers, body)

    async def _take_in(self, deliveries: Sequence[Delivery]) -> list[Acceptance]:
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                projects = await self._find_projects(deliveries)
                acceptances = await self._record(deliveries, projects)
        except TimeoutError:
            raise RecordUnavailable("Postgres takes too long; send it again later.") from None
        self._ring(acceptances)
        await self._learn(projects, deliveries)
        return acceptances

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

    async def _record(
        self, deliveries: Sequence[Delivery], projects: Sequence[Project | None]
    ) -> list[Acceptance]:
        pairs = zip(deliveries, projects, strict=True)
        return await self._deliveries.accept_many(
            [_arrival(d, p, plan(d, p, self._queues)) for d, p in pairs]
        )

    def _ring(self, acceptances: Sequence[Acceptance]) -> None:
        self._ringer.ring([ring for a in acceptances for ring in a.to_ring])
        fresh = Counter(j["queue"] for a in acceptances if not a.duplicate for j in a.jobs)
        for queue, count in fresh.items():
            JOBS_ENQUEUED.labels(queue).inc(count)

    async def _learn(
        self, projects: Sequence[Project | None], deliveries: Sequence[Delivery]
    ) -> None:
        """Keep GitHub's repository ids and default branches; deliveries stand without them."""
        lessons = {
            p.id: (p.id, d.repository_id, d.default_branch)
            for p, d in zip(projects, deliveries, strict=True)
            if p is not None and _tells_something_new(d, p)
        }
        if not lessons:
            return
        try:
            async with asyncio.timeout(LEARN_SECONDS):
                await self._projects.learn([lessons[i] for i in sorted(lessons)])
        except (RecordUnavailable, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("project.not_updated", projects=len(lessons), error=str(error))


def _tells_something_new(delivery: Delivery, project: Project) -> bool:
    branch = delivery.default_branch
    return project.repository_id is None or branch not in (None, project.default_branch)


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
