"""Finding the projects of deliveries: asked for once a second, and never wrong about who is new."""

from dataclasses import replace
from typing import Any

import pytest

from tests.deliveries import load
from tests.jobs.records import CountingPool
from webhooks.github.deliveries import Delivery, parse
from webhooks.github.enrolled import BELIEVED_SECONDS, Enrolled
from worker.database.pool import Pool
from worker.jobs.model import Project
from worker.jobs.projects import Projects


class Scene:
    """Enrolled projects, a clock to be set, and a count of questions to the record."""

    def __init__(self, pool: Pool) -> None:
        self.pool = CountingPool(pool)
        self.projects = Projects(self.pool)  # type: ignore[arg-type]
        self.now = 100.0
        self.enrolled = Enrolled(self.projects, lambda: self.now)

    async def enrol(self, repository: str = "acme/one", **fields: Any) -> Project:
        """A project of that repository, of which GitHub's id and default branch are known."""
        project = await self.projects.enrol("p", "u", repository, "free", None)
        await self.projects.learn([(project.id, fields.get("id", 7), "main")])
        return await self.projects.get(project.id)

    async def find(self, *deliveries: Delivery) -> list[Project | None]:
        """What is found, and that it took at most one question."""
        before = self.pool.statements
        found = await self.enrolled.find(deliveries)
        assert self.pool.statements - before <= 1
        return found


@pytest.fixture
def scene(pool: Pool) -> Scene:
    return Scene(pool)


def delivery(repository: str | None = "acme/one", repository_id: int | None = 7) -> Delivery:
    recorded = load("push_branch")
    parsed = parse(recorded.headers, recorded.body)
    return replace(parsed, repository=repository, repository_id=repository_id)


async def test_a_crowd_asks_once_a_second(scene: Scene) -> None:
    project = await scene.enrol()
    for _ in range(3):
        assert await scene.find(delivery(), delivery("ACME/One")) == [project, project]
    asked = scene.pool.statements
    assert await scene.find(delivery()) == [project]
    assert scene.pool.statements == asked
    scene.now += BELIEVED_SECONDS
    assert await scene.find(delivery()) == [project]
    assert scene.pool.statements == asked + 1


async def test_what_changed_is_seen_after_a_second(scene: Scene) -> None:
    project = await scene.enrol()
    await scene.find(delivery())
    await scene.pool.fetch("UPDATE projects SET plan = 'pro'")
    assert await scene.find(delivery()) == [project]
    scene.now += BELIEVED_SECONDS
    assert await scene.find(delivery()) == [replace(project, plan="pro")]


async def test_a_new_project_is_found_at_once(scene: Scene) -> None:
    assert await scene.find(delivery()) == [None]
    project = await scene.enrol()
    assert await scene.find(delivery()) == [project]


async def test_another_repository_by_the_same_name_is_not_mistaken(scene: Scene) -> None:
    project = await scene.enrol()
    assert await scene.find(delivery()) == [project]
    assert await scene.find(delivery(repository_id=8), delivery()) == [None, project]
    assert await scene.find(delivery("acme/renamed")) == [project]


async def test_a_project_that_has_something_to_learn_is_not_believed(scene: Scene) -> None:
    enrolled = await scene.projects.enrol("p", "u", "acme/one", "free", None)
    [found] = await scene.find(delivery())
    assert found == enrolled
    await scene.enrolled.learn([found], [delivery()])
    [taught] = await scene.find(delivery())
    assert taught is not None
    assert (taught.repository_id, taught.default_branch) == (7, "main")


async def test_a_delivery_without_a_repository_asks_for_nothing(scene: Scene) -> None:
    asked = scene.pool.statements
    assert await scene.find(delivery(None, None)) == [None]
    assert scene.pool.statements == asked
