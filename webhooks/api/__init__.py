"""The JSON API: one module a resource, each with its `ROUTES`."""

from aiohttp import web

from webhooks.api import (
    actions,
    api_keys,
    artifacts,
    audit,
    audit_log,
    conflicts,
    dead_letters,
    described,
    endpoints,
    events,
    flags,
    gates,
    jobs,
    limits,
    notifications,
    openapi,
    organisations,
    projects,
    queues,
    schedules,
    usage,
)
from webhooks.api.routes import Route

ROUTES: tuple[Route, ...] = (
    *jobs.ROUTES,
    *dead_letters.ROUTES,
    *queues.ROUTES,
    *schedules.ROUTES,
    *audit.ROUTES,
    *audit_log.ROUTES,
    *projects.ROUTES,
    *artifacts.ROUTES,
    *conflicts.ROUTES,
    *gates.ROUTES,
    *organisations.ROUTES,
    *flags.ROUTES,
    *api_keys.ROUTES,
    *usage.ROUTES,
    *limits.ROUTES,
    *actions.ROUTES,
    *events.ROUTES,
    *notifications.ROUTES,
    *endpoints.ROUTES,
    *openapi.ROUTES,
)

DESCRIBED: tuple[Route, ...] = (*ROUTES, *described.ROUTES)


def add_routes(router: web.UrlDispatcher) -> None:
    """Every route of the API but GitHub's webhook."""
    for route in ROUTES:
        route.add_to(router)
