"""Projects: enrolling repositories, and reading them."""

import re
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field

from webhooks.api.requests import answer, body_as, path_id, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.errors import InvalidInput
from worker.jobs.paging import ById, Wanted, page_of
from worker.jobs.payload_base import Name, Text
from worker.jobs.views import Page, Project

_REPOSITORY = r"^[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}$"
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_FORBIDDEN = re.compile(r"[\s\\?#]")


class Enrolment(Wanted, strict=True):
    """A repository to enrol: `repository` is GitHub's owner/name, `repoUrl` what is cloned."""

    name: Name
    repo_url: Text
    repository: str = Field(pattern=_REPOSITORY)
    plan: Literal["free", "starter", "pro", "enterprise"] = "free"
    org_id: Name | None = None


async def enrol(request: web.Request) -> web.Response:
    """`POST /api/projects`: 201 with the project; 409 when the repository is enrolled already."""
    resources = request.app[RESOURCES]
    wanted = await body_as(request, Enrolment)
    _check_repository(wanted.repository)
    check_repo_url(wanted.repo_url, resources.settings.git_protocols)
    project = await resources.projects.enrol(
        wanted.name, wanted.repo_url, wanted.repository, wanted.plan, wanted.org_id
    )
    return answer(Project.of(project), status=201)


async def page(request: web.Request) -> web.Response:
    """`GET /api/projects`, in order of enrolment."""
    query = query_as(request, ById)
    projects = await request.app[RESOURCES].projects.page(query.cursor, query.limit + 1)
    return answer(page_of([Project.of(p) for p in projects], query.limit, lambda p: p.id))


async def get(request: web.Request) -> web.Response:
    """`GET /api/projects/{id}`."""
    return answer(Project.of(await request.app[RESOURCES].projects.get(path_id(request))))


def check_repo_url(url: str, protocols: list[str]) -> None:
    """Raise InvalidInput unless git may clone from this URL: it needs no secret and hides none."""
    problem = _url_problem(url, protocols)
    if problem is not None:
        raise InvalidInput("The request is not valid.", {"repoUrl": problem})


def _url_problem(url: str, protocols: list[str]) -> str | None:
    scheme, found, _ = url.partition("://")
    if not found or scheme not in protocols:
        return f"must begin with {' or '.join(f'{p}://' for p in protocols)}"
    if not url.isprintable() or _FORBIDDEN.search(url):
        return "must not have spaces, control characters, backslashes, a query or a fragment"
    if "@" in url.removeprefix(f"{scheme}://").partition("/")[0]:
        return "must not have a user name or password in it"
    return None if _has_host_and_path(url) else "needs a host and a path"


def _has_host_and_path(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    named = not parts.netloc if parts.scheme == "file" else _HOST.fullmatch(host)
    return bool(named and parts.path.strip("/"))


def _check_repository(repository: str) -> None:
    if not {".", ".."}.isdisjoint(repository.split("/")):
        raise InvalidInput("The request is not valid.", {"repository": "must be owner/name"})


ROUTES = (
    Route("POST", "/api/projects", enrol, "Enrol a repository", Project, body=Enrolment,
          status=201, audit="project.enrolled", errors={409: "the repository is enrolled already"}),
    Route("GET", "/api/projects", page, "Projects, in order of enrolment", Page[Project],
          query=ById),
    Route("GET", "/api/projects/{id}", get, "A project", Project),
)  # fmt: skip
