"""A project's live events as server-sent events, resumable by `Last-Event-ID`.

Everything is read from streams and nothing from the channel: an ordered source, read on from the
last id, can neither leave an event out between replay and live nor show it twice. Progress has a
stream of its own, and is sent without an id: it is live only, and nobody resumes by it.
"""

import re
import time
from typing import Any

import structlog
from aiohttp import web
from redis.exceptions import RedisError

from webhooks.api.requests import path_id
from webhooks.api.routes import Parameter, Route
from webhooks.resources import MAX_STREAMS, RESOURCES, Resources
from worker.errors import InvalidInput, Overloaded
from worker.jobs.events import progress_stream
from worker.jobs.events import stream as stream_key

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
# Also how soon a stream notices that its client is gone or the process is stopping.
BLOCK_MS = 1000
AT_ONCE = 100
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
        events, progress = stream_key(project.id).encode(), progress_stream(project.id).encode()
        last = {
            progress: await _newest(resources, progress),
            events: wanted.encode() if wanted else await _newest(resources, events),
        }
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_PRELUDE)
        try:
            await _follow(request, response, events, last)
        except (RedisError, OSError) as error:
            # The client comes back by itself and goes on after the last id that it saw.
            log.info("stream.ended", project_id=project.id, error=type(error).__name__)
        return response


async def _follow(
    request: web.Request, response: web.StreamResponse, events: bytes, last: dict[bytes, bytes]
) -> None:
    resources, written = request.app[RESOURCES], time.monotonic()
    while not resources.health.draining and not _left(request):
        entries = await _entries_after(resources, events, last)
        for key, entry_id, text in entries:
            last[key] = entry_id
            named = b"id: %b\n" % entry_id if key == events else b""
            await response.write(b"%bdata: %b\n\n" % (named, text))
        if not entries and time.monotonic() - written >= HEARTBEAT_SECONDS:
            await response.write(_HEARTBEAT)
            written = time.monotonic()
        if entries:
            written = time.monotonic()


async def _entries_after(
    resources: Resources, events: bytes, last: dict[bytes, bytes]
) -> list[tuple[bytes, bytes, bytes]]:
    """Stream, id and text of what comes next, in the order in which it happened."""
    found: Any = await resources.redis.xread(last, count=AT_ONCE, block=BLOCK_MS)  # type: ignore[arg-type]
    entries = [(k, i, fields[b"event"]) for k, part in found or () for i, fields in part]
    # A stream that has more to come says how far the others may be read.
    ends = [_moment(k, part[-1][0], events) for k, part in found or () if len(part) >= AT_ONCE]
    moments = {e[:2]: _moment(*e[:2], events) for e in entries}
    entries = [e for e in entries if not ends or moments[e[:2]] <= min(ends)]
    return sorted(entries, key=lambda e: moments[e[:2]])


def _moment(key: bytes, entry_id: bytes, events: bytes) -> tuple[int, bool, int]:
    """When it happened. In one millisecond progress comes first: a job's end is an event."""
    milliseconds, number = entry_id.split(b"-")
    return int(milliseconds), key == events, int(number)


async def _newest(resources: Resources, key: bytes) -> bytes:
    try:
        found: Any = await resources.redis.xrevrange(key, count=1)
    except (RedisError, OSError):
        raise Overloaded("Live events cannot be read at the moment; try again shortly.") from None
    return found[0][0] if found else b"0-0"


def _last_event_id(request: web.Request) -> str | None:
    given = request.headers.get("Last-Event-ID", "")
    if given and not _STREAM_ID.fullmatch(given):
        raise InvalidInput("Last-Event-ID is not one that this stream sent.")
    return given or None


def _left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


ROUTES = (
    Route("GET", "/api/projects/{id}/events", stream, "A project's live events",
          headers=(Parameter("Last-Event-ID", "the event after which the stream goes on"),),
          media_type="text/event-stream"),
)  # fmt: skip
