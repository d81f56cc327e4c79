"""The listening side: where connections come from, and how they are ended in good order."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from webhooks.connections import Connection, Direct

DIRECT = web.AppKey("direct", Direct)
Close = Callable[[], Awaitable[None]]

HEADER_SECONDS = 10.0
# Longer than a reverse proxy keeps an idle connection, so that it never reuses one we just closed.
KEEPALIVE_SECONDS = 620.0
# How long a refused upload is read and dropped, so that its sender sees the answer.
LINGERING_SECONDS = 1.0
BACKLOG = 1024
IDLE_POLL_SECONDS = 0.02


class Site(web.BaseSite):
    """Listens on a TCP port; `port` 0 takes a free one, told by `bound_port`."""

    __slots__ = ("_direct", "_header_seconds", "_host", "_port", "bound_port")

    def __init__(self, runner: web.AppRunner, host: str, port: int, header_seconds: float) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host, self._port, self._header_seconds = host, port, header_seconds
        self._direct = runner.app.get(DIRECT)
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
            direct=self._direct,
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

    What `app[DIRECT]` can take goes past the application. Ending stops accepting, and gives
    requests under way up to `shutdown_seconds`.
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
