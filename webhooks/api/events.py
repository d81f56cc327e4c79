"""A project's live events as server-sent events, resumable by `Last-Event-ID`.

Everything is read from the replay stream and nothing from the channel: one ordered source, read
on from the last id, can neither leave an event out between replay and live nor show it twice.
"""

import re
import time
from typing import Any

import structlog
from aiohttp import web
from redis.exceptions import RedisError

from webhooks.api.requests import path_id
from webhooks.resources import MAX_STREAMS, RESOURCES, Resources
from worker.errors import InvalidInput, Overloaded
from worker.jobs.events import stream as stream_key

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
# Also how soon a stream notices that its client is gone or the process is stopping.
BLOCK_MS = 1000
# Redis counts both halves in 64 bits.
_STREAM_ID = re.compile(r"\d{1,19}(-\d{1,19})?", re.ASCII)
_PRELUDE = b"retry: 2000\n\n"
_HEARTBEAT = b": heartbeat\n\n"


async def stream(request: web.Request) -> web.StreamResponse:
    """`GET /api/projects/{id}/events`: until the client leaves, the service stops or Redis is lost.

    A client that sends no `Last-Event-ID` gets what happens from now on.
    """
    resources = request.app[RESOURCES]
    wanted = _last_event_id(request)
    project = await resources.projects.get(path_id(request))
    if resources.streams.locked():
        raise Overloaded(f"There are {MAX_STREAMS} live streams already; try again later.")
    async with resources.streams:
        key = stream_key(project.id)
        last = wanted or await _newest(resources, key)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_PRELUDE)
        try:
            await _follow(request, response, key, last)
        except (RedisError, OSError) as error:
            # The client comes back by itself and goes on after the last id that it saw.
            log.info("stream.ended", project_id=project.id, error=type(error).__name__)
        return response


async def _follow(request: web.Request, response: web.StreamResponse, key: str, last: str) -> None:
    resources, written = request.app[RESOURCES], time.monotonic()
    while not resources.health.draining and not _left(request):
        entries = await _entries_after(resources, key, last)
        for entry_id, fields in entries:
            last = entry_id.decode()
            await response.write(b"id: %b\ndata: %b\n\n" % (entry_id, fields[b"event"]))
        if not entries and time.monotonic() - written >= HEARTBEAT_SECONDS:
            await response.write(_HEARTBEAT)
            written = time.monotonic()
        if entries:
            written = time.monotonic()


async def _entries_after(
    resources: Resources, key: str, last: str
) -> list[tuple[bytes, dict[bytes, bytes]]]:
    found: Any = await resources.redis.xread({key: last}, count=100, block=BLOCK_MS)
    return found[0][1] if found else []


async def _newest(resources: Resources, key: str) -> str:
    try:
        found: Any = await resources.redis.xrevrange(key, count=1)
    except (RedisError, OSError):
        raise Overloaded("Live events cannot be read at the moment; try again shortly.") from None
    return found[0][0].decode() if found else "0-0"


def _last_event_id(request: web.Request) -> str | None:
    given = request.headers.get("Last-Event-ID", "")
    if given and not _STREAM_ID.fullmatch(given):
        raise InvalidInput("Last-Event-ID is not one that this stream sent.")
    return given or None


def _left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
