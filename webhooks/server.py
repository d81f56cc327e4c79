"""The listening side: connections whose headers must arrive in time, and faults told in JSON."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

Close = Callable[[], Awaitable[None]]

HEADER_SECONDS = 10.0
# Longer than a reverse proxy keeps an idle connection, so that it never reuses one we just closed.
KEEPALIVE_SECONDS = 620.0
# How long a refused upload is read and dropped, so that its sender sees the answer.
LINGERING_SECONDS = 1.0
BACKLOG = 1024
IDLE_POLL_SECONDS = 0.02

_SLOW = b'{"error":{"code":"request_timeout","message":"The request headers took too long."}}'
_SLOW_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_SLOW), _SLOW)
)


def error_response(
    status: int,
    code: str,
    message: str,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """`{"error":{"code","message","fields"?}}`."""
    error: dict[str, Any] = {"code": code, "message": message}
    body = orjson.dumps({"error": error | ({"fields": fields} if fields else {})})
    return web.Response(
        status=status, body=body, headers=headers, content_type="application/json", charset="utf-8"
    )


class Connection(web.RequestHandler):
    """A connection that is closed when a request's headers take longer than `header_seconds`."""

    __slots__ = ("_header_seconds", "_overdue")

    def __init__(self, *args: Any, header_seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_seconds = header_seconds
        self._overdue: asyncio.TimerHandle | None = None

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
        super().data_received(data)
        if self._messages:
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


class Site(web.BaseSite):
    """Listens on a TCP port; `port` 0 takes a free one, told by `bound_port`."""

    __slots__ = ("_header_seconds", "_host", "_port", "bound_port")

    def __init__(self, runner: web.AppRunner, host: str, port: int, header_seconds: float) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host, self._port, self._header_seconds = host, port, header_seconds
        self.bound_port = port

    @property
    def name(self) -> str:
        """The address."""
        return f"http://{self._host}:{self.bound_port}"

    async def start(self) -> None:
        """Bind. Raises OSError when the address is taken."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connection, self._host, self._port, backlog=self._backlog
        )
        self.bound_port = self._server.sockets[0].getsockname()[1]

    def _connection(self) -> Connection:
        assert self._runner.server is not None
        return Connection(
            self._runner.server,
            loop=asyncio.get_running_loop(),
            header_seconds=self._header_seconds,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            # What is compressed is refused by its header, before a byte of it is expanded.
            auto_decompress=False,
        )


async def listen(
    app: web.Application,
    host: str,
    port: int,
    *,
    header_seconds: float = HEADER_SECONDS,
    shutdown_seconds: float = 30.0,
) -> tuple[Site, Close]:
    """Serve `app`; answers the site, and the function that ends it in good order.

    Ending stops accepting, and gives requests under way up to `shutdown_seconds`.
    """
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=shutdown_seconds
    )
    await runner.setup()
    site = Site(runner, host, port, header_seconds)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise

    async def close() -> None:
        await site.stop()
        await _wait_until_idle(runner, shutdown_seconds)
        await runner.cleanup()

    return site, close


async def _wait_until_idle(runner: web.AppRunner, seconds: float) -> None:
    # aiohttp's own shutdown stops reading at once, and with it the bodies that are still coming.
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _is_busy(runner):  # noqa: ASYNC110
        await asyncio.sleep(IDLE_POLL_SECONDS)


def _is_busy(runner: web.AppRunner) -> bool:
    connections = runner.server.connections if runner.server else []
    return any(isinstance(c, Connection) and c.busy for c in connections)
