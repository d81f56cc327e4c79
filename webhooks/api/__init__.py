"""The JSON API: one module a resource, each with its `ROUTES`."""

from aiohttp import web

from webhooks.api import (
    artifacts,
    audit,
    conflicts,
    dead_letters,
    described,
    events,
    gates,
    jobs,
    openapi,
    projects,
    queues,
    schedules,
)
from webhooks.api.routes import Route

ROUTES: tuple[Route, ...] = (
    *jobs.ROUTES,
    *dead_letters.ROUTES,
    *queues.ROUTES,
    *schedules.ROUTES,
    *audit.ROUTES,
    *projects.ROUTES,
    *artifacts.ROUTES,
    *conflicts.ROUTES,
    *gates.ROUTES,
    *events.ROUTES,
    *openapi.ROUTES,
)

DESCRIBED: tuple[Route, ...] = (*ROUTES, *described.ROUTES)


def add_routes(router: web.UrlDispatcher) -> None:
    """Every route of the API but GitHub's webhook."""
    for route in ROUTES:
        route.add_to(router)
