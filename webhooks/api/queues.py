"""Queues: looking at them, and pausing, resuming and resizing them at run time."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, optional_body_as, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.overview import ByName, QueueStatus, WorkerStatus
from worker.jobs.requests import Pause, Resize
from worker.jobs.views import Page


async def page(request: web.Request) -> web.Response:
    """`GET /api/queues`, in the order of the policy table."""
    overview = request.app[RESOURCES].steering.overview
    return answer(await overview.queues(query_as(request, ByName)))


async def get(request: web.Request) -> web.Response:
    """`GET /api/queues/{name}`."""
    return answer(await request.app[RESOURCES].steering.overview.queue(_name(request)))


async def pause(request: web.Request) -> web.Response:
    """`POST /api/queues/{name}/pause`: nothing more of it starts; what runs goes on."""
    wanted = await optional_body_as(request, Pause)
    return answer(await request.app[RESOURCES].steering.pause(_name(request), wanted))


async def resume(request: web.Request) -> web.Response:
    """`POST /api/queues/{name}/resume`."""
    return answer(await request.app[RESOURCES].steering.resume(_name(request)))


async def resize(request: web.Request) -> web.Response:
    """`PATCH /api/queues/{name}`: changes what is given; null goes back to the policy."""
    wanted = await body_as(request, Resize)
    return answer(await request.app[RESOURCES].steering.resize(_name(request), wanted))


async def workers(request: web.Request) -> web.Response:
    """`GET /api/workers`: who is alive, and what they run."""
    overview = request.app[RESOURCES].steering.overview
    return answer(await overview.workers(query_as(request, ByName)))


def _name(request: web.Request) -> str:
    return request.match_info["name"]


ROUTES = (
    Route("GET", "/api/queues", page, "Queues, their limits and what waits in them",
          Page[QueueStatus], query=ByName),
    Route("GET", "/api/queues/{name}", get, "A queue", QueueStatus),
    Route("PATCH", "/api/queues/{name}", resize, "Change a queue's limits", QueueStatus,
          body=Resize, audit="queue.resized"),
    Route("POST", "/api/queues/{name}/pause", pause, "Start nothing more of a queue", QueueStatus,
          body=Pause, audit="queue.paused"),
    Route("POST", "/api/queues/{name}/resume", resume, "Let a queue go on", QueueStatus,
          audit="queue.resumed"),
    Route("GET", "/api/workers", workers, "Workers, and what they run", Page[WorkerStatus],
          query=ByName),
)  # fmt: skip
