"""Which projects deliveries belong to, and what pushes tell about these."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import asyncpg
import structlog

from webhooks.github.deliveries import Delivery
from webhooks.github.plan import choose_project
from worker.errors import RecordUnavailable
from worker.jobs.model import Project
from worker.jobs.projects import Projects

log = structlog.get_logger(__name__)

# What was found is believed for so long, so that a crowd of pushes need not ask for each batch.
BELIEVED_SECONDS = 1.0
LEARN_SECONDS = 2.0

Key = tuple[int | None, str | None]


class Enrolled:
    """The projects of deliveries. What is not enrolled is looked for every time."""

    def __init__(self, projects: Projects, clock: Callable[[], float] = time.monotonic) -> None:
        self._projects = projects
        self._clock = clock
        self._known: dict[Key, Project] = {}
        self._until = 0.0

    async def find(self, deliveries: Sequence[Delivery]) -> list[Project | None]:
        """The project of each delivery, if it has one. Raises RecordUnavailable."""
        known = self._believed()
        missing = [d for d in deliveries if d.repository and _key(d) not in known]
        if missing:
            known = known | await self._look_up(missing)
        return [known.get(_key(d)) for d in deliveries]

    async def learn(
        self, projects: Iterable[Project | None], deliveries: Iterable[Delivery]
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

    def _believed(self) -> dict[Key, Project]:
        now = self._clock()
        if now >= self._until:
            self._known, self._until = {}, now + BELIEVED_SECONDS
        return self._known

    async def _look_up(self, deliveries: Sequence[Delivery]) -> dict[Key, Project]:
        known = self._known
        names = {d.repository for d in deliveries if d.repository}
        ids = {d.repository_id for d in deliveries if d.repository_id}
        found = await self._projects.matching(list(names), list(ids))
        by_id = {p.repository_id: p for p in found if p.repository_id}
        by_name = {p.repository.lower(): p for p in found}
        chosen: dict[Key, Project] = {}
        for d in deliveries:
            name = (d.repository or "").lower()
            project = choose_project(d, by_id.get(d.repository_id or 0), by_name.get(name))
            if project is not None:
                chosen[_key(d)] = project
                if not _tells_something_new(d, project):
                    known[_key(d)] = project
        return chosen


def _key(delivery: Delivery) -> Key:
    return delivery.repository_id, delivery.repository


def _tells_something_new(delivery: Delivery, project: Project) -> bool:
    branch = delivery.default_branch
    return project.repository_id is None or branch not in (None, project.default_branch)
