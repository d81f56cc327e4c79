"""`python -m webhooks`: serves until SIGTERM or SIGINT. Exit code 2 when it cannot start."""

import asyncio
import gc
import signal
import sys

import structlog
import uvloop
from aiohttp import web

from webhooks.app import create_app
from webhooks.resources import opened
from webhooks.server import Close, Site, listen
from worker.errors import ConfigurationError, RecordUnavailable
from worker.logs import configure_logs
from worker.settings import Settings, load_settings

log = structlog.get_logger(__name__)

CONFIGURATION_EXIT = 2


def main() -> int:
    """Run the service; answers the exit code."""
    try:
        settings = load_settings(needs_webhook_secret=True)
        configure_logs(
            level=settings.log_level, as_json=settings.logs_as_json, secrets=settings.secrets()
        )
        uvloop.run(serve(settings))
    except ConfigurationError as error:
        return _refuse(error.problems)
    except RecordUnavailable as error:
        return _refuse([f"DATABASE_URL: {error.message}"])
    return 0


async def serve(settings: Settings) -> None:
    """Open, listen, wait for a signal; then finish what is under way and close."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with opened(settings) as resources:
        site, close = await _listen(settings, create_app(resources))
        _tune_collector()
        log.info("web.started", address=site.name)
        await stopping.wait()
        resources.health.draining = True
        await close()
    log.info("web.stopped")


async def _listen(settings: Settings, app: web.Application) -> tuple[Site, Close]:
    try:
        return await listen(
            app,
            settings.host,
            settings.port,
            shutdown_seconds=settings.shutdown_timeout_ms / 1000,
        )
    except OSError as error:
        problem = f"PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        raise ConfigurationError([problem]) from None


def _tune_collector() -> None:
    # Requests make many short-lived objects and no cycles to speak of: what was loaded at the
    # start need never be looked through again, and the rest less often.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _refuse(problems: list[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"switchyard: {problem}\n")
    return CONFIGURATION_EXIT


if __name__ == "__main__":
    sys.exit(main())
