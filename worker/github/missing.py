"""Deliveries that GitHub could not hand over: found in its own list, and asked for again."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog
from redis.asyncio import Redis

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.errors import PermanentError, SwitchyardError
from worker.github.api import GitHub
from worker.github.client import Answer
from worker.github.errors import GitHubRefused, GitHubUnavailable, Limited, NotThere
from worker.github.logins import AppLogin, GitHubLogin
from worker.jobs.model import Project
from worker.jobs.projects import Projects

log = structlog.get_logger(__name__)
SQL = queries.load(__file__)

PROJECTS_A_RUN = 500
PAGES_A_HOOK = 20
ASKED_A_RUN = 100
ASK_AGAIN_SECONDS = 3600
# The attempt itself may take a minute.
SECONDS_A_RUN = 40.0
OUR_PATH = "/api/webhooks/github"
_NEXT_PROJECT = "github:missed:after"


class GitHubLogins(Protocol):
    """Knows who asks GitHub about a project."""

    async def for_github(self, project: Project) -> GitHubLogin | None:
        """The login, if there is one."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt of GitHub to hand over the delivery `guid`."""

    id: int
    guid: str
    at: datetime
    arrived: bool
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook whose deliveries can be listed; `call` takes a method, a path and a query."""

    call: Callable[..., Awaitable[Answer]]
    path: str
    repository_ids: frozenset[int] | None = None


@dataclass(slots=True)
class Looked:
    """What a run has found; `unreadable` are the repositories and Apps that could not be asked."""

    hooks: int = 0
    missing: int = 0
    asked: int = 0
    unreadable: list[str] = field(default_factory=list)
    until: float = 0.0

    @property
    def out_of_time(self) -> bool:
        """Whether the rest has to wait for the next run."""
        return time.monotonic() > self.until


class MissedDeliveries:
    """Looks through the deliveries of Apps and of repositories' own webhooks."""

    def __init__(self, github: GitHub, logins: GitHubLogins, pool: Pool, redis: Redis) -> None:
        self._github, self._logins = github, logins
        self._pool, self._redis = pool, redis

    async def look(self, days: int, seconds: float = SECONDS_A_RUN) -> Looked:
        """Ask again for what never arrived in so many days. What is left over, the next run does.

        Raises RecordUnavailable when Postgres is away.
        """
        looked = Looked(until=time.monotonic() + seconds)
        since = datetime.now(UTC) - timedelta(days=days)
        apps: dict[AppLogin, list[Project]] = {}
        for project in await self._projects():
            if looked.out_of_time:
                break
            login = await self._login(project, looked)
            if isinstance(login, AppLogin):
                apps.setdefault(login, []).append(project)
            elif login is not None:
                await self._try(project.repository, self._repository(login, project), since, looked)
            await self._redis.set(_NEXT_PROJECT, str(project.id))
        for app, projects in apps.items():
            await self._try(f"App {app.app_id}", self._app(app, projects), since, looked)
        return looked

    async def _login(self, project: Project, looked: Looked) -> GitHubLogin | None:
        try:
            return await self._logins.for_github(project)
        except PermanentError as error:
            _note_unreadable(project.repository, error, looked)
            return None

    async def _projects(self) -> list[Project]:
        """The next ones in turn: after the last, the first."""
        told = await self._redis.get(_NEXT_PROJECT)
        projects = Projects(self._pool)
        found = await projects.page(UUID(told.decode()) if told else None, PROJECTS_A_RUN)
        if told and len(found) < PROJECTS_A_RUN:
            seen = {p.id for p in found}
            first = await projects.page(None, PROJECTS_A_RUN - len(found))
            found += [p for p in first if p.id not in seen]
        return found

    async def _try(
        self, name: str, hooks: Awaitable[list[Hook]], since: datetime, looked: Looked
    ) -> None:
        try:
            for hook in await hooks:
                looked.hooks += 1
                await self._look_at(hook, since, looked)
        except Limited as error:
            log.info("deliveries.left_for_later", hook=name, seconds=round(error.seconds))
        except (GitHubRefused, GitHubUnavailable) as error:
            _note_unreadable(name, error, looked)

    async def _repository(self, login: GitHubLogin, project: Project) -> list[Hook]:
        repository = self._github.repository(login, project.repository, project.repository_id)
        hooks = (await repository.call("GET", "/hooks", {"per_page": "100"})).data
        return [
            Hook(repository.call, f"/hooks/{h['id']}/deliveries")
            for h in hooks
            if _is_ours(h["config"])
        ]

    async def _app(self, login: AppLogin, projects: Sequence[Project]) -> list[Hook]:
        async def call(method: str, path: str, query: Any = None) -> Answer:
            return await self._github.as_app(login, method, path, query)

        if not _is_ours((await call("GET", "/app/hook/config")).data):
            return []
        return [Hook(call, "/app/hook/deliveries", await self._ids(login, projects))]

    async def _ids(self, login: AppLogin, projects: Sequence[Project]) -> frozenset[int]:
        """GitHub's numbers of the repositories; one that never pushed has to be asked for."""
        ids = {p.repository_id for p in projects if p.repository_id is not None}
        for project in (p for p in projects if p.repository_id is None):
            repository = self._github.repository(login, project.repository)
            with suppress(NotThere):
                ids.add(int((await repository.call("GET", "")).data["id"]))
        return frozenset(ids)

    async def _look_at(self, hook: Hook, since: datetime, looked: Looked) -> None:
        failed = _failed(await _listed(hook, since, looked), hook.repository_ids)
        rows = await fetch(self._pool, SQL.arrived, [d.guid for d in failed])
        arrived = {row["delivery_id"] for row in rows}
        missing = [d for d in failed if d.guid not in arrived]
        looked.missing += len(missing)
        for delivery in missing:
            if looked.asked >= ASKED_A_RUN or looked.out_of_time:
                break
            looked.asked += await self._ask_again(hook, delivery)

    async def _ask_again(self, hook: Hook, delivery: Delivery) -> bool:
        key = f"github:asked:{delivery.guid}"
        if not await self._redis.set(key, delivery.id, nx=True, ex=ASK_AGAIN_SECONDS):
            return False
        try:
            await hook.call("POST", f"{hook.path}/{delivery.id}/attempts")
        except (Limited, GitHubUnavailable):
            await self._redis.delete(key)
            raise
        return True


def _note_unreadable(name: str, error: SwitchyardError, looked: Looked) -> None:
    looked.unreadable.append(name)
    log.warning("deliveries.not_listed", hook=name, error=error.message)


async def _listed(hook: Hook, since: datetime, looked: Looked) -> list[Delivery]:
    """The deliveries since then, the latest first."""
    found: list[Delivery] = []
    query = {"per_page": "100"}
    for _ in range(PAGES_A_HOOK):
        answer = await hook.call("GET", hook.path, query)
        page = [_delivery(d) for d in answer.data]
        found += [d for d in page if d.at >= since]
        if not answer.cursor or page[-1].at < since or looked.out_of_time:
            break
        query = {"per_page": "100", "cursor": answer.cursor}
    return found


def _failed(found: Iterable[Delivery], repository_ids: frozenset[int] | None) -> list[Delivery]:
    """The last attempts at deliveries of which none arrived, the oldest first."""
    last: dict[str, Delivery] = {}
    arrived = set()
    for delivery in sorted(found, key=lambda d: (d.at, d.id)):
        if repository_ids is None or delivery.repository_id in repository_ids:
            last[delivery.guid] = delivery
            if delivery.arrived:
                arrived.add(delivery.guid)
    return [d for d in last.values() if d.guid not in arrived]


def _delivery(data: dict[str, Any]) -> Delivery:
    return Delivery(
        data["id"],
        data["guid"],
        datetime.fromisoformat(data["delivered_at"]),
        data.get("status") == "OK" or 200 <= int(data.get("status_code") or 0) < 300,
        data.get("repository_id"),
    )


def _is_ours(config: dict[str, Any]) -> bool:
    return str(config.get("url") or "").rstrip("/").endswith(OUR_PATH)
