"""The JSON API: one module a resource."""

from aiohttp import web

from webhooks.api import artifacts, events, jobs, projects


def add_routes(router: web.UrlDispatcher) -> None:
    """Every route of the API but GitHub's webhook."""
    router.add_post("/api/jobs/enqueue", jobs.enqueue)
    router.add_get("/api/jobs", jobs.page, allow_head=False)
    router.add_get("/api/jobs/{id}", jobs.get, allow_head=False)
    router.add_post("/api/projects", projects.enrol)
    router.add_get("/api/projects", projects.page, allow_head=False)
    router.add_get("/api/projects/{id}", projects.get, allow_head=False)
    router.add_get("/api/projects/{id}/artifacts", artifacts.page, allow_head=False)
    router.add_get("/api/projects/{id}/events", events.stream, allow_head=False)
