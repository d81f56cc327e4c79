"""Connections: headers must arrive in time, faults are told in JSON, plain requests go straight.

A request that has come whole and plain, on a connection with nothing else to do, can be taken by
a `Direct` straight from aiohttp's parser: making request and response objects, a task and a stream
for it costs several times what reading it and answering does. Every other request goes the usual
way through the application.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog
from aiohttp import web
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy

from webhooks.answers import error_response

log = structlog.get_logger(__name__)

# Larger ones may be held up by flow control between their parts.
DIRECT_LIMIT = 32 * 1024
_TAKEN: tuple[Sequence[Any], bool, bytes] = ((), False, b"")

_SLOW = b'{"error":{"code":"request_timeout","message":"The request headers took too long."}}'
_SLOW_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_SLOW), _SLOW)
)


class Reply(Protocol):
    """An answer to come."""

    ready: asyncio.Future[Any]

    def render(self) -> bytes:
        """The whole answer, once it is ready. Never raises."""


class Direct(Protocol):
    """Answers one kind of request."""

    method: str
    path: str

    def take(self, headers: CIMultiDictProxy[str], body: bytes) -> Reply | None:
        """The reply to come; None to have the request go the usual way."""


class Connection(web.RequestHandler):
    """A connection that is closed when a request's headers take longer than `header_seconds`."""

    __slots__ = ("_direct", "_header_seconds", "_held", "_overdue", "_reply")

    def __init__(
        self, *args: Any, header_seconds: float, direct: Direct | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._header_seconds = header_seconds
        self._direct = direct
        self._overdue: asyncio.TimerHandle | None = None
        self._reply: Reply | None = None
        self._held = b""
        if direct is not None:
            self._parser = _Shortcut(self._parser, self._take)  # type: ignore[assignment]

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._request_in_progress or self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the first request's headers their time."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Parse; complete headers stop the clock, and the beginning of new ones starts it."""
        if self._reply is not None:
            self._hold(data)
            return
        super().data_received(data)
        if self._messages or self._reply is not None:
            self._stop_clock()
        elif self._overdue is None and self._waiter is not None:
            self._expect_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is not HTTP gets a 400; what nobody caught, a 500. The connection is closed."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun already")
        if status < 500:
            log.info("http.malformed", fault=type(exc).__name__)
            answer = error_response(status, "malformed_request", "The request is not valid HTTP.")
        else:
            log.error("http.failed", exc_info=exc)
            answer = error_response(status, "internal", "Something went wrong on our side.")
        answer.force_close()
        return answer

    def _take(self, data: bytes, message: RawRequestMessage, payload: StreamReader) -> bool:
        """Take a request that `data` is the whole of; False to leave it to aiohttp."""
        direct = self._direct
        assert direct is not None
        if message.path != direct.path or message.method != direct.method:
            return False
        if not (self._is_idle() and _is_plain(message) and payload.is_eof()):
            return False
        body = data[data.find(b"\r\n\r\n") + 4 :]
        if payload.total_bytes != len(body):
            return False  # there is more than this request in `data`, or less
        reply = direct.take(message.headers, body)
        if reply is None:
            return False
        self._reply, self._request_in_progress = reply, True
        reply.ready.add_done_callback(self._answer)
        return True

    def _is_idle(self) -> bool:
        waits = self._waiter is not None and not self._waiter.done()
        return waits and not self._messages and not self.writing_paused

    def _answer(self, _: object) -> None:
        reply, self._reply, self._request_in_progress = self._reply, None, False
        assert reply is not None
        answer = reply.render()
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if self.transport is None:
            return
        self.transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._held:
            self._release()

    def _hold(self, data: bytes) -> None:
        # A request sent before the answer to the last one: answers keep the order of requests.
        self._held += data
        self._pause_transport_reading()

    def _release(self) -> None:
        held, self._held = self._held, b""
        self._resume_transport_reading()
        self.data_received(held)

    def _expect_headers(self) -> None:
        self._overdue = self._loop.call_later(self._header_seconds, self._give_up)

    def _stop_clock(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _give_up(self) -> None:
        self._overdue = None
        if self.transport is not None and not self._messages and not self._request_in_progress:
            log.info("http.slow_headers", seconds=self._header_seconds)
            self.transport.write(_SLOW_ANSWER)
            self.force_close()


class _Shortcut:
    """A connection's parser: what is taken out here, the connection never sees as a message."""

    def __init__(self, parser: Any, take: Callable[[bytes, RawRequestMessage, Any], bool]) -> None:
        self._feed, self._take = parser.feed_data, take
        self.message_consumed = parser.message_consumed
        self.pause_reading = parser.pause_reading
        self.set_upgraded = parser.set_upgraded
        self.feed_eof = parser.feed_eof

    def feed_data(self, data: bytes) -> tuple[Sequence[Any], bool, bytes]:
        result: tuple[Sequence[Any], bool, bytes] = self._feed(data)
        messages = result[0]
        if len(messages) == 1 and len(data) <= DIRECT_LIMIT and self._take(data, *messages[0]):
            self.message_consumed()
            return _TAKEN
        return result


def _is_plain(message: RawRequestMessage) -> bool:
    if message.version != HttpVersion11 or message.should_close or message.upgrade:
        return False
    # Each of these asks for something that only the usual way does.
    headers = message.headers
    special = "Expect" in headers or "Content-Encoding" in headers or "Upgrade" in headers
    return not special and not message.chunked
