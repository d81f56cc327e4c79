"""Dead letters: looking at them, and retrying or discarding them."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, path_id, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.dead_letters import (
    DeadLetterQuery,
    Discarded,
    ManyDeadLetters,
    Retried,
    RetryMany,
)
from worker.jobs.views import DeadLetter, JobWithAttempts, Page


async def page(request: web.Request) -> web.Response:
    """`GET /api/dead-letters`, the latest first, filtered by what the query names."""
    letters = request.app[RESOURCES].steering.dead_letters
    return answer(await letters.page(query_as(request, DeadLetterQuery)))


async def get(request: web.Request) -> web.Response:
    """`GET /api/dead-letters/{id}`, with what went wrong at every attempt."""
    return answer(await request.app[RESOURCES].steering.dead_letter(path_id(request)))


async def retry(request: web.Request) -> web.Response:
    """`POST /api/dead-letters/{id}/retry`: the job, which waits again."""
    return answer(await request.app[RESOURCES].steering.retry(path_id(request)))


async def retry_many(request: web.Request) -> web.Response:
    """`POST /api/dead-letters/retry`: those that fit, at a rate where one is given."""
    letters = request.app[RESOURCES].steering.dead_letters
    return answer(await letters.retry_many(await body_as(request, RetryMany)))


async def discard(request: web.Request) -> web.Response:
    """`DELETE /api/dead-letters/{id}`."""
    return answer(await request.app[RESOURCES].steering.dead_letters.discard(path_id(request)))


async def discard_many(request: web.Request) -> web.Response:
    """`POST /api/dead-letters/discard`: those that fit."""
    letters = request.app[RESOURCES].steering.dead_letters
    return answer(await letters.discard_many(await body_as(request, ManyDeadLetters)))


_NOT_DEAD = {409: "the job is not dead"}
ROUTES = (
    Route("GET", "/api/dead-letters", page, "Dead letters, the latest first", Page[DeadLetter],
          query=DeadLetterQuery),
    Route("POST", "/api/dead-letters/retry", retry_many, "Retry those that fit", Retried,
          body=RetryMany, audit="dead_letters.retried"),
    Route("POST", "/api/dead-letters/discard", discard_many, "Delete those that fit", Discarded,
          body=ManyDeadLetters, audit="dead_letters.discarded"),
    Route("GET", "/api/dead-letters/{id}", get, "A dead letter with every attempt",
          JobWithAttempts),
    Route("POST", "/api/dead-letters/{id}/retry", retry, "Retry one", JobWithAttempts,
          audit="job.retried", errors=_NOT_DEAD),
    Route("DELETE", "/api/dead-letters/{id}", discard, "Delete one", Discarded,
          audit="job.discarded", errors=_NOT_DEAD),
)  # fmt: skip
