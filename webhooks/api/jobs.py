"""Jobs: adding them by hand, reading, cancelling and retrying them."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, path_id, query_as
from webhooks.api.routes import Parameter, Route
from webhooks.resources import RESOURCES
from worker.jobs.enqueueing import Enqueued, WantedJob
from worker.jobs.reading import JobQuery
from worker.jobs.requests import Cancellation
from worker.jobs.views import CancelledJob, Job, JobWithAttempts, Page
from worker.jobs.waiting import Why

_TRACEPARENT = Parameter("traceparent", "the W3C trace that the job belongs to")


async def enqueue(request: web.Request) -> web.Response:
    """`POST /api/jobs/enqueue`: 200 `{jobId, queue, data}`. Forbidden in production."""
    steering = request.app[RESOURCES].steering
    wanted = await body_as(request, WantedJob)
    return answer(await steering.enqueueing.add(wanted, request.headers.get("traceparent")))


async def page(request: web.Request) -> web.Response:
    """`GET /api/jobs`, newest first, filtered by what the query names."""
    steering = request.app[RESOURCES].steering
    return answer(await steering.jobs.page(query_as(request, JobQuery)))


async def get(request: web.Request) -> web.Response:
    """`GET /api/jobs/{id}`, with its attempts."""
    return answer(await request.app[RESOURCES].steering.jobs.get(path_id(request)))


async def why(request: web.Request) -> web.Response:
    """`GET /api/jobs/{id}/why`: all that keeps it from running now."""
    return answer(await request.app[RESOURCES].steering.waiting.why(path_id(request)))


async def cancel(request: web.Request) -> web.Response:
    """`DELETE /api/jobs/{id}`: 200 when it waited; 202 when it runs, and was asked to end."""
    steering = request.app[RESOURCES].steering
    job = await steering.cancel(path_id(request), query_as(request, Cancellation).reason)
    return answer(job, 202 if job.cancel_requested else 200)


async def retry(request: web.Request) -> web.Response:
    """`POST /api/jobs/{id}/retry`: a dead job waits again."""
    return answer(await request.app[RESOURCES].steering.retry(path_id(request)))


ROUTES = (
    Route("POST", "/api/jobs/enqueue", enqueue, "Add a job by hand", Enqueued, body=WantedJob,
          audit="job.enqueued", headers=(_TRACEPARENT,),
          errors={403: "adding by hand is off in production"}),
    Route("GET", "/api/jobs", page, "Jobs, newest first", Page[Job], query=JobQuery),
    Route("GET", "/api/jobs/{id}", get, "A job with its attempts", JobWithAttempts),
    Route("GET", "/api/jobs/{id}/why", why, "What a job waits for", Why),
    Route("DELETE", "/api/jobs/{id}", cancel, "Cancel a job", CancelledJob, query=Cancellation,
          audit="job.cancelled", also={202: CancelledJob}, errors={409: "the job has ended"}),
    Route("POST", "/api/jobs/{id}/retry", retry, "Have a dead job wait again", JobWithAttempts,
          audit="job.retried", errors={409: "the job is not dead"}),
)  # fmt: skip
